import type { Socket } from 'node:net';
import type { Clock, Timer } from '@manypath/core';
import { info, resetSocket, type SubflowInfo } from '@manypath/mptcp';
import { type PathSet, resendsSmaller } from '@manypath/paths';

export interface PacketWatchOptions {
  readonly socket: Socket;
  /** The name of the path that it leaves by. */
  readonly path: string;
  /** Finds out whether packets as large as those of a connection pass over the path. */
  readonly examineSizes: PathSet['examineSizes'];
  readonly clock: Clock;
  /** After how long without anything it is asked, in milliseconds; see `GatewayLimits`. */
  readonly stalledMs: number;
  /** Whether the kernel resends in smaller packets what is lost again and again. Default: its setting tells. */
  readonly resendsSmaller?: () => boolean;
}

/** A connection on which nothing moves is looked at ever more seldom, up to so many times the first pause. */
const seldomAtMost = 32;
/** A connection over which so many bytes came between two looks was in the middle of something. */
const flowingBytes = 65_536;
/** Segments of at least so many bytes are no small ones. */
const fullSegmentBytes = 1000;
/** Who got or sent less than this has only begun. */
const beginningBytes = 4096;

/** How a connection of one leg is held up: as it began, or in the middle of what it sends or gets. */
type Stall = 'beginning' | 'sending' | 'receiving';

/**
 * Watches a connection over one path for packets that are too large for the path and lost without a word. The path is asked, so that
 * others leave it. What is being sent the kernel then sends in smaller packets. Everything else can only be ended, so that whoever
 * made it tries again, over another path or with smaller packets, and does not wait for ever.
 */
export class PacketWatch {
  readonly #options: PacketWatchOptions;
  #timer: Timer;
  #pauseMs: number;
  #received = 0;
  #acked = 0;
  /** What came between the last two looks. */
  #lately = 0;
  /** What came between the last three looks before nothing moved any more. */
  #flowed = 0;

  constructor(options: PacketWatchOptions) {
    this.#options = options;
    this.#pauseMs = options.stalledMs;
    this.#timer = this.#again();
  }

  close(): void {
    this.#timer.cancel();
  }

  #again(): Timer {
    return this.#options.clock.after(this.#pauseMs, () => this.#look());
  }

  #look(): void {
    const { socket, path, examineSizes, stalledMs } = this.#options;
    const leg = onlyLeg(socket);
    if (leg === undefined) return;
    this.#note(leg);
    this.#timer = this.#again();
    const stall = this.#stallOf(leg, stalledMs - 200);
    if (stall === undefined || leg.segmentSize < fullSegmentBytes) return;
    const question = { address: leg.remote.address, segmentBytes: leg.segmentSize };
    void examineSizes(path, question, true).then(pass => {
      if (pass === 'small') this.#endIfLost(leg, stall);
    });
  }

  #note({ bytesReceived, bytesAcked }: SubflowInfo): void {
    const { stalledMs } = this.#options;
    const hasMoved = bytesReceived !== this.#received || bytesAcked !== this.#acked;
    const moved = bytesReceived - this.#received;
    if (hasMoved) this.#flowed = this.#lately + moved;
    this.#lately = moved;
    this.#pauseMs = hasMoved ? stalledMs : Math.min(2 * this.#pauseMs, seldomAtMost * stalledMs);
    this.#received = bytesReceived;
    this.#acked = bytesAcked;
  }

  /** @param stillMs How long nothing came. */
  #stallOf(leg: SubflowInfo, stillMs: number): Stall | undefined {
    const { bytesSent, bytesAcked, bytesReceived, receivedSegmentSize } = leg;
    const isSilent = leg.unacknowledged === 0 && leg.lastDataReceivedMs >= stillMs;
    const gotLittle = bytesReceived < beginningBytes && receivedSegmentSize < fullSegmentBytes;
    if (leg.backoff > 1) return gotLittle && bytesAcked < beginningBytes ? 'beginning' : 'sending';
    if (!isSilent || bytesSent === 0) return undefined;
    if (gotLittle && bytesAcked < beginningBytes) return 'beginning';
    return this.#flowed >= flowingBytes ? 'receiving' : undefined;
  }

  #endIfLost({ bytesReceived, bytesAcked }: SubflowInfo, stall: Stall): void {
    const { socket, resendsSmaller: heals = resendsSmaller } = this.#options;
    if (stall === 'sending' && heals()) return;
    const leg = onlyLeg(socket);
    if (leg?.bytesReceived === bytesReceived && leg.bytesAcked === bytesAcked) resetSocket(socket);
  }
}

/** Of TCP, or of Multipath TCP while it has only one: with more it goes on over the others. */
function onlyLeg(socket: Socket): SubflowInfo | undefined {
  const [leg, another] = info(socket).subflows;
  return another !== undefined || leg?.state !== 'established' ? undefined : leg;
}
