import { DiagReader, type SocketAddress } from '@manypath/mptcp';
import type { Path } from './path.ts';

/** The ends of a TCP connection or a subflow. */
export interface Ends {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** Tells by which of these devices a TCP socket with these ends leaves. */
export type AskDevice = (ends: Ends, indexes: readonly number[]) => number | undefined;

/** Subflows whose device is remembered. */
const subflowsKept = 4096;

/**
 * Tells which path a subflow is on. Its own address does, unless several paths have the same one, as with two modems of one kind:
 * then the device that its socket is bound to does, which the kernel is asked for once for each subflow.
 */
export class SubflowPlaces {
  readonly #askDevice: AskDevice;
  readonly #devices = new Map<string, number>();

  constructor(askDevice: AskDevice = deviceOf) {
    this.#askDevice = askDevice;
  }

  /** The path among `paths`; `undefined` when it is on none. */
  pathOf(ends: Ends, paths: readonly Path[]): Path | undefined {
    const fitting = paths.filter(path => path.addresses.some(one => one.address === ends.local.address));
    const [first] = fitting;
    if (fitting.length < 2) return first;
    const { local, remote } = ends;
    const key = `${local.address} ${local.port} ${remote.address} ${remote.port}`;
    let index = this.#devices.get(key);
    if (index === undefined || !fitting.some(path => path.index === index)) {
      index = this.#askDevice(
        ends,
        fitting.map(path => path.index),
      );
      // One that is not bound goes by the best route.
      if (index === undefined) return first;
      this.#keep(key, index);
    }
    return fitting.find(path => path.index === index);
  }

  #keep(key: string, index: number): void {
    this.#devices.set(key, index);
    if (this.#devices.size <= subflowsKept) return;
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
