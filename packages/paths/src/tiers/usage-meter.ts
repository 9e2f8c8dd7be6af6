import type { Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from '@manypath/core';
import { info, type SocketInfo, type SubflowInfo } from '@manypath/mptcp';
import type { Ends } from '../discovery/subflow-places.ts';

/** What a connection has carried over one path since the last look. */
export interface Carried {
  readonly path: string;
  /** As they went over the link: payload, what was sent again, and an estimate of headers and acknowledgements. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The payload alone, as the subflows counted it. */
  readonly payloadIn: number;
  readonly payloadOut: number;
  /** Smoothed round trip, in milliseconds. */
  readonly rttMs: number;
}

/** Options of {@link UsageMeter}. */
export interface UsageMeterOptions {
  /** The path that a connection with these ends is on; `undefined` for none, e.g. loopback. */
  readonly pathOf: (ends: Ends) => string | undefined;
  /** Takes what was carried since the last call, of all connections; in one go, so that it is judged once. */
  readonly onCarried: (carried: readonly Carried[]) => void;
  /** How long to wait until the next look, in milliseconds. */
  readonly pause: () => number;
  readonly clock?: Clock;
  /** Tells what the kernel knows of a connection. Default: `info` of @manypath/mptcp. */
  readonly read?: (socket: Socket) => SocketInfo;
}

/**
 * Headers a segment, in bytes: IPv4 20 (IPv6 40), TCP 20, timestamps 12, MPTCP's data sequence signal 20 to 28; and half
 * an acknowledgement of about 64. Rather too much: what a provider counts must not be more.
 */
const headerBytes = { 4: 112, 6: 142 } as const;
/** Opening and closing a connection, in bytes. */
const handshakeBytes = 600;
const usualSegment = 1400;

/** What was last seen of a subflow. */
interface Seen {
  path: string | undefined;
  bytesIn: number;
  bytesOut: number;
  /** Link bytes for one of payload. */
  overhead: number;
  rttMs: number;
  /** What it carried between the last two looks. */
  lastIn: number;
  lastOut: number;
}

/** What was last seen of a connection. */
interface Watched {
  readonly subflows: Map<string, Seen>;
  multipath: boolean;
  bytesIn: number;
  bytesOut: number;
}

/**
 * Counts what connections of this process carry over each path, from the kernel's figures of their subflows. Costs some
 * microseconds a look and connection, and no privilege.
 */
export class UsageMeter {
  readonly #options: UsageMeterOptions;
  readonly #clock: Clock;
  readonly #watched = new Map<Socket, Watched>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: UsageMeterOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Counts what a connection out of this host carries, from its beginning to its close. */
  watch(socket: Socket): void {
    if (this.#closed || socket.destroyed || this.#watched.has(socket)) return;
    this.#watched.set(socket, { subflows: new Map(), multipath: true, bytesIn: 0, bytesOut: 0 });
    // At its end the kernel still knows all that came; when it is closed only Node's own counters are left.
    socket.once('end', () => this.#lookAt([socket]));
    socket.once('close', () => this.unwatch(socket));
    if (this.#timer === undefined) this.#schedule();
  }

  /** Takes a last look at a connection, and no further one. */
  unwatch(socket: Socket): void {
    if (!this.#watched.has(socket)) return;
    this.#lookAt([socket]);
    this.#watched.delete(socket);
  }

  /** Connections of plain TCP that are on this path, as they were last seen: nothing can move them to another one. */
  stuckOn(path: string): Socket[] {
    return [...this.#watched].flatMap(([socket, { multipath, subflows }]) =>
      !multipath && [...subflows.values()].some(seen => seen.path === path) ? [socket] : [],
    );
  }

  /** Looks at all connections now. */
  look(): void {
    this.#lookAt([...this.#watched.keys()]);
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#lookAt([...this.#watched.keys()]);
    this.#watched.clear();
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#closed || this.#watched.size === 0) return;
    this.#timer = this.#clock.after(this.#options.pause(), () => this.look());
  }

  #lookAt(sockets: readonly Socket[]): void {
    const carried: Carried[] = [];
    for (const socket of sockets) {
      const watched = this.#watched.get(socket);
      if (watched !== undefined)
        carried.push(...this.#carriedSince(watched, (this.#options.read ?? info)(socket)));
    }
    this.#options.onCarried(carried);
  }

  #carriedSince(watched: Watched, now: SocketInfo): Carried[] {
    const carried: Carried[] = [];
    const keys = new Set<string>();
    let [sumIn, sumOut] = [0, 0];
    for (const subflow of now.subflows) {
      const key = keyOf(subflow);
      keys.add(key);
      const isNew = !watched.subflows.has(key);
      const seen = watched.subflows.get(key) ?? this.#seen(subflow);
      const bytesIn = Math.max(0, subflow.bytesReceived - seen.bytesIn);
      const bytesOut = Math.max(0, sentBy(subflow) - seen.bytesOut);
      watched.subflows.set(key, seen);
      seen.bytesIn += bytesIn;
      seen.bytesOut += bytesOut;
      seen.overhead = overheadOf(subflow);
      seen.rttMs = subflow.rttMs;
      seen.lastIn = bytesIn;
      seen.lastOut = bytesOut;
      sumIn += bytesIn;
      sumOut += bytesOut;
      push(carried, seen, bytesIn, bytesOut, isNew ? handshakeBytes : 0);
    }
    // What the connection moved beyond that went over subflows that are gone.
    const restIn = Math.max(0, now.bytesReceived - watched.bytesIn - sumIn);
    const restOut = Math.max(0, now.bytesSent - watched.bytesOut - sumOut);
    const gone = [...watched.subflows].filter(([key]) => !keys.has(key));
    watched.multipath = now.multipath;
    if (now.reason === 'closed') {
      const last = busiest(watched);
      if (last !== undefined) push(carried, last, restIn, restOut, 0);
    } else {
      // Beyond that, what was on its way to one that was taken off crossed the link for nothing: as much as before.
      for (const [, seen] of gone) {
        push(carried, seen, Math.max(restIn, seen.lastIn), Math.max(restOut, seen.lastOut), 0);
      }
    }
    for (const [key] of gone) watched.subflows.delete(key);
    watched.bytesIn = Math.max(watched.bytesIn, now.bytesReceived);
    watched.bytesOut = Math.max(watched.bytesOut, now.bytesSent);
    return carried;
  }

  #seen(subflow: SubflowInfo): Seen {
    const path = this.#options.pathOf(subflow);
    return { path, bytesIn: 0, bytesOut: 0, overhead: 1, rttMs: 0, lastIn: 0, lastOut: 0 };
  }
}

function push(carried: Carried[], seen: Seen, payloadIn: number, payloadOut: number, more: number): void {
  const { path, overhead, rttMs } = seen;
  if (path === undefined || payloadIn + payloadOut + more === 0) return;
  carried.push({
    path,
    bytesIn: Math.ceil(payloadIn * overhead) + more,
    bytesOut: Math.ceil(payloadOut * overhead),
    payloadIn,
    payloadOut,
    rttMs,
  });
}

/** The subflow that carried most: most likely what is not known of came over it, too. */
function busiest({ subflows }: Watched): Seen | undefined {
  const all = [...subflows.values()];
  return all.sort((one, other) => other.bytesIn + other.bytesOut - one.bytesIn - one.bytesOut)[0];
}

function keyOf({ local, remote }: SubflowInfo): string {
  return `${local.address} ${local.port} ${remote.address} ${remote.port}`;
}

/** Older kernels do not tell what was sent. */
function sentBy({ bytesSent, bytesAcked }: SubflowInfo): number {
  return Math.max(bytesSent, bytesAcked);
}

function overheadOf({ local, segmentSize }: SubflowInfo): number {
  return (
    1 + headerBytes[local.address.includes(':') ? 6 : 4] / (segmentSize >= 100 ? segmentSize : usualSegment)
  );
}
