import { constants as http2 } from 'node:http2';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, ManypathError, systemClock, type Timer } from '@manypath/core';
import { resetSocket, takeUnread } from '@manypath/mptcp';
import { Direction } from './direction.ts';
import { type ForwardLimits, forwardLimits } from './limits.ts';
import { type ReadableLeg, readableLeg } from './reader.ts';

/** A relayed connection moved no byte for too long. */
export class RelayIdleError extends ManypathError {
  constructor(milliseconds: number) {
    super('MANYPATH_FORWARD_IDLE', `no byte went either way for ${Math.round(milliseconds / 1000)} s`);
  }
}

/** One side was gone before all it should have got was delivered. */
export class RelayResetError extends ManypathError {
  constructor(side: string, cause?: unknown) {
    super(
      'MANYPATH_FORWARD_RESET',
      `the ${side} broke the connection off`,
      cause === undefined ? {} : { cause },
    );
  }
}

/** Options of {@link relayBytes}. */
export interface RelayOptions {
  limits?: Partial<ForwardLimits>;
  clock?: Clock;
}

/** How a relayed connection ended. */
export interface RelayOutcome {
  readonly bytesFromClient: number;
  readonly bytesFromUpstream: number;
  /** What broke it; `undefined` when both sides ended as they should. */
  readonly error: Error | undefined;
}

/** A connection that is being relayed. */
export interface RelayHandle {
  readonly state: 'open' | 'half-closed' | 'closed';
  readonly bytesFromClient: number;
  readonly bytesFromUpstream: number;
  /** Settles when both legs are closed; never rejects. */
  readonly done: Promise<RelayOutcome>;
  /** Breaks both legs off. */
  abort(reason: Error): void;
}

/**
 * Copies bytes between two legs until both have ended.
 *
 * The end of one direction is passed on while the other one goes on (half-close). A leg that writes slowly stops the
 * reading of the other. A leg that breaks off resets the other one. Ownership of both legs passes to the relay.
 */
export function relayBytes(client: Duplex, upstream: Duplex, options: RelayOptions = {}): RelayHandle {
  return new ByteRelay(client, upstream, options);
}

class ByteRelay implements RelayHandle {
  readonly done: Promise<RelayOutcome>;
  readonly #limits: ForwardLimits;
  readonly #clock: Clock;
  readonly #client: ReadableLeg;
  readonly #upstream: ReadableLeg;
  readonly #fromClient: Direction;
  readonly #fromUpstream: Direction;
  #error: Error | undefined;
  #timer: Timer | undefined;
  #bytesAtLastCheck = -1;
  #openLegs = 2;
  #finish: (outcome: RelayOutcome) => void = () => {};

  constructor(client: Duplex, upstream: Duplex, options: RelayOptions) {
    this.#limits = { ...forwardLimits, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.done = new Promise(resolve => {
      this.#finish = resolve;
    });
    this.#client = readableLeg(client, this.#limits, true);
    this.#upstream = readableLeg(upstream, this.#limits, true);
    const shared = {
      limits: this.#limits,
      onBroken: (leg: ReadableLeg, cause: Error) => this.#follow(leg, cause),
      onUnwritable: (leg: ReadableLeg) => this.#takeLast(leg),
    };
    this.#fromClient = new Direction(this.#client, this.#upstream, shared);
    this.#fromUpstream = new Direction(this.#upstream, this.#client, shared);
    this.#watchLeg(this.#client, this.#fromClient, this.#fromUpstream);
    this.#watchLeg(this.#upstream, this.#fromUpstream, this.#fromClient);
    this.#fromClient.start();
    this.#fromUpstream.start();
    this.#watchIdleness();
  }

  get bytesFromClient(): number {
    return this.#fromClient.bytes;
  }

  get bytesFromUpstream(): number {
    return this.#fromUpstream.bytes;
  }

  get state(): 'open' | 'half-closed' | 'closed' {
    if (this.#openLegs === 0) return 'closed';
    return this.#fromClient.ended || this.#fromUpstream.ended ? 'half-closed' : 'open';
  }

  abort(reason: Error): void {
    this.#error ??= reason;
    this.#fromClient.stop();
    this.#fromUpstream.stop();
    breakOff(this.#client.stream);
    breakOff(this.#upstream.stream);
  }

  /** A leg is broken. What it said is delivered, as TCP would have; then the other one is broken off. */
  #follow(leg: ReadableLeg, cause: unknown): void {
    if (this.#error !== undefined) return;
    this.#error = new RelayResetError(this.#sideOf(leg), cause);
    this.#takeLast(leg);
    this.#fromClient.stop();
    this.#fromUpstream.stop();
    breakOff(leg.stream);
    const other = (leg === this.#client ? this.#upstream : this.#client).stream;
    const timer = this.#clock.after(this.#limits.lingerMs, () => breakOff(other));
    whenWritten(other, () => {
      timer.cancel();
      breakOff(other);
    });
  }

  #takeLast(leg: ReadableLeg): void {
    if (leg.socket === undefined) return;
    const from = leg === this.#client ? this.#fromClient : this.#fromUpstream;
    from.takeLast(takeUnread(leg.socket, this.#limits.pumpBufferBytes));
  }

  #sideOf(leg: ReadableLeg): string {
    return leg === this.#client ? 'client' : 'other end';
  }

  #watchLeg(leg: ReadableLeg, from: Direction, to: Direction): void {
    const { stream } = leg;
    const failed = (cause?: unknown) => {
      if (!isOver(stream, from, to)) this.#follow(leg, cause);
    };
    const closed = () => {
      failed();
      from.stop();
      to.stop();
      this.#openLegs -= 1;
      if (this.#openLegs === 0) this.#close();
    };
    stream.on('error', failed);
    // A leg may have gone while the other one was dialled.
    if (stream.closed) queueMicrotask(closed);
    else stream.once('close', closed);
  }

  #watchIdleness(): void {
    const limit = this.state === 'half-closed' ? this.#limits.halfClosedIdleMs : this.#limits.idleMs;
    this.#timer = this.#clock.after(limit, () => {
      const bytes = this.bytesFromClient + this.bytesFromUpstream;
      if (bytes === this.#bytesAtLastCheck) this.abort(new RelayIdleError(limit));
      else this.#watchIdleness();
      this.#bytesAtLastCheck = bytes;
    });
  }

  #close(): void {
    this.#timer?.cancel();
    this.#finish({
      bytesFromClient: this.bytesFromClient,
      bytesFromUpstream: this.bytesFromUpstream,
      error: this.#error,
    });
  }
}

/** Whether a leg has given all it had and got all it should: then how it closes does not matter. */
function isOver(stream: Duplex, from: Direction, to: Direction): boolean {
  // An HTTP/2 stream closes with code 0 only when both its ends have gone over the wire.
  if (isHttp2Stream(stream)) return stream.rstCode === http2.NGHTTP2_NO_ERROR && from.ended && to.sentEnd;
  return from.ended && to.delivered;
}

/** Calls back when all that was written has left, or cannot any more. */
function whenWritten(stream: Duplex, then: () => void): void {
  if (stream.destroyed || stream.writableLength === 0) then();
  else if (stream.writableEnded) stream.once('finish', then).once('close', then);
  else stream.write(Buffer.alloc(0), then);
}

/** Closes a leg so that its peer sees that something broke, rather than an ordinary end. */
function breakOff(stream: Duplex): void {
  if (stream.destroyed) return;
  if (isHttp2Stream(stream)) resetStream(stream);
  else if (stream instanceof Socket) resetSocket(stream);
  else stream.destroy();
}

/** Node sends an orderly end before the reset of a stream, so that a broken transfer would look complete. */
function resetStream(stream: Http2Like): void {
  stream._final = callback => callback();
  stream.close(http2.NGHTTP2_CONNECT_ERROR);
}

interface Http2Like extends Duplex {
  readonly rstCode: number;
  close(code: number): void;
}

function isHttp2Stream(stream: Duplex): stream is Http2Like {
  return 'rstCode' in stream;
}
