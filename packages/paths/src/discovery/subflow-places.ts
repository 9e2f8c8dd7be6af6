import { DiagReader, type SocketAddress } from '@manypath/mptcp';
import { pathsLimits } from '../limits.ts';
import type { Path } from './path.ts';

/** The ends of a TCP connection or a subflow. */
export interface Ends {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** Tells by which of these devices a TCP socket with these ends leaves. */
export type AskDevice = (ends: Ends, indexes: readonly number[]) => number | undefined;

/**
 * Tells which path a subflow is on. Its own address does, unless several paths have the same one or had it, as with two modems of one
 * kind: then the device that its socket is bound to does, which the kernel is asked for once for each subflow. One on a device whose
 * path is gone is on none.
 */
export class SubflowPlaces {
  readonly #askDevice: AskDevice;
  readonly #devices = new Map<string, number>();
  /** Addresses that several paths had at once, and the devices of those. */
  readonly #shared = new Map<string, Set<number>>();

  constructor(askDevice: AskDevice = deviceOf) {
    this.#askDevice = askDevice;
  }

  /** The path among `paths`; `undefined` when it is on none. */
  pathOf(ends: Ends, paths: readonly Path[]): Path | undefined {
    const { local, remote } = ends;
    const fitting = paths.filter(path => path.addresses.some(one => one.address === local.address));
    const [first] = fitting;
    const devices = this.#devicesOf(local.address, fitting);
    if (devices === undefined || first === undefined) return first;
    const key = `${local.address} ${local.port} ${remote.address} ${remote.port}`;
    let index = this.#devices.get(key);
    if (index === undefined) {
      index = this.#askDevice(ends, devices);
      // One that is not bound goes by the best route.
      if (index === undefined) return first;
      this.#keep(key, index);
    }
    return fitting.find(path => path.index === index);
  }

  /** The devices that have an address or had it when others had it, too; `undefined` when no two ever had it at once. */
  #devicesOf(address: string, fitting: readonly Path[]): number[] | undefined {
    const known = this.#shared.get(address);
    if (known === undefined && fitting.length < 2) return undefined;
    // Those that are there come first.
    const now = fitting.map(({ index }) => index);
    const devices = new Set([...now, ...(known ?? [])].slice(0, pathsLimits.addressDevicesKept));
    this.#shared.set(address, devices);
    return [...devices];
  }

  #keep(key: string, index: number): void {
    this.#devices.set(key, index);
    if (this.#devices.size <= pathsLimits.subflowsKept) return;
    for (const oldest of this.#devices.keys()) {
      this.#devices.delete(oldest);
      return;
    }
  }
}

/** Whether an address is that of several paths: what is known by it is not known by path. */
export function isShared(address: string, paths: readonly Path[]): boolean {
  return paths.filter(path => path.addresses.some(one => one.address === address)).length > 1;
}

function deviceOf({ local, remote }: Ends, indexes: readonly number[]): number | undefined {
  const reader = DiagReader.open();
  try {
    return reader.boundDevice(local, remote, indexes);
  } catch {
    return undefined;
  } finally {
    reader.close();
  }
}
