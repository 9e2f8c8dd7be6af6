import type { Clock, Timer } from '@manypath/core';
import type { Carrier } from './carrier.ts';
import type { CarrierSet } from './carrier-set.ts';
import { Datagrams } from './datagrams.ts';
import { dataHeadBytes, encodeFrame, encodeOpen, frameTypes, writeDataHead } from './frames.ts';
import type { SessionLimits } from './limits.ts';
import type { Riders } from './riders.ts';
import type { Piece } from './send-queue.ts';
import type { SentFrame } from './sent-frames.ts';
import type { Tunnel } from './tunnel.ts';

export interface SessionOutputOptions {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  readonly carriers: CarrierSet;
  readonly riders: Riders;
  /** Calls back at the end of the present turn. */
  readonly defer: (callback: () => void) => void;
  /** The other end acknowledges nothing of much too much. */
  readonly onOverfull: () => void;
}

/** What leaves: by which carrier, in which order, and when. */
export class SessionOutput {
  readonly #options: SessionOutputOptions;
  readonly #datagrams: Datagrams;
  #isFlushing = false;
  #acknowledging: Timer | undefined;
  #isOver = false;

  constructor(options: SessionOutputOptions) {
    this.#options = options;
    this.#datagrams = new Datagrams(options.limits);
  }

  /** Has a tunnel ride on a carrier from now on. Its opening is the first that it sends. */
  ride(tunnel: Tunnel, carrier: Carrier): void {
    const { riders, limits } = this.#options;
    riders.ride(tunnel, carrier);
    if (tunnel.isOpened) return;
    tunnel.isOpened = true;
    this.send(tunnel, encodeOpen(tunnel.id, tunnel.request, limits));
  }

  /** Whether data of a tunnel can leave at once; else it is held until it can. */
  maySend(tunnel: Tunnel): boolean {
    if (tunnel.carrier === undefined) return false;
    if (this.takesMore(tunnel.carrier)) return true;
    this.#options.riders.hold(tunnel);
    return false;
  }

  readonly takesMore = (carrier: Carrier): boolean =>
    carrier.state === 'open' && !carrier.isFull && !this.#options.carriers.isFull;

  /** Sends a frame of a tunnel in its order. What was never opened says nothing. */
  send(tunnel: Tunnel, frame: Uint8Array): void {
    const carrier = tunnel.carrier ?? tunnel.waitsFor;
    if (carrier === undefined || !tunnel.isOpened || this.#isOver) return;
    this.#options.carriers.send(carrier, { head: frame, rest: undefined, release: undefined });
  }

  sendData(tunnel: Tunnel, offset: number, piece: Piece): void {
    if (tunnel.carrier === undefined) return;
    this.#options.carriers.send(tunnel.carrier, dataFrame(tunnel.id, offset, piece));
  }

  addDatagram(flow: number, bytes: Uint8Array): void {
    this.#datagrams.add({ flow, bytes, at: this.#options.clock.now() });
    this.sendDatagrams();
  }

  sendDatagrams(): void {
    const { carriers, clock } = this.#options;
    while (this.#datagrams.size > 0) {
      const carrier = carriers.firstWithRoom();
      if (carrier === undefined) return;
      const datagram = this.#datagrams.take(clock.now());
      if (datagram === undefined) return;
      carriers.sendOnce(carrier, encodeFrame(frameTypes.datagram, datagram.flow, datagram.bytes));
    }
  }

  /** Has what came be acknowledged: at the end of the turn when it is much, else in a while, or with the next that leaves. */
  acknowledge(carrier: Carrier): void {
    const { limits, clock } = this.#options;
    if (carrier.mustAcknowledge) this.flushLater();
    else this.#acknowledging ??= clock.after(limits.acknowledgeMs, this.#acknowledgeNow);
  }

  /** Has what was written in this turn leave at its end. */
  flushLater(): void {
    if (this.#isFlushing || this.#isOver) return;
    this.#isFlushing = true;
    this.#options.defer(this.#flushNow);
  }

  flush(): void {
    this.#options.carriers.flush();
  }

  /** Nothing leaves any more. */
  end(): void {
    this.#isOver = true;
    this.#acknowledging?.cancel();
    this.#acknowledging = undefined;
  }

  readonly #flushNow = (): void => {
    this.#isFlushing = false;
    if (this.#isOver) return;
    if (this.#options.carriers.isOverfull) this.#options.onOverfull();
    else this.flush();
  };

  readonly #acknowledgeNow = (): void => {
    this.#acknowledging = undefined;
    this.flush();
  };
}

function dataFrame(tunnel: number, offset: number, { bytes, hasRoom, release }: Piece): SentFrame {
  if (hasRoom) {
    const { buffer, byteOffset, length } = bytes;
    const framed = new Uint8Array(buffer, byteOffset - dataHeadBytes, dataHeadBytes + length);
    writeDataHead(framed, 0, tunnel, offset, length);
    return { head: framed, rest: undefined, release };
  }
  const head = new Uint8Array(dataHeadBytes);
  writeDataHead(head, 0, tunnel, offset, bytes.length);
  return { head, rest: bytes, release };
}
