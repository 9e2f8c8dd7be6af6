import type { Socket } from 'node:net';
import { ArrivalRate } from '@manypath/core';
import { info } from '@manypath/mptcp';

/** How often the kernel is asked what has arrived, in milliseconds. */
const askMs = 2;

/**
 * Measures how fast bytes arrive on a connection of one path. It asks the kernel for what has arrived, also out of order: when
 * a program is given bytes says more about gaps that were filled, and about how busy the program is.
 */
export class ArrivalMeter {
  readonly #socket: Socket;
  readonly #rate = new ArrivalRate({ turnMs: 0 });
  readonly #timer: NodeJS.Timeout;
  #segments: number | undefined;

  /** @param socket A TCP connection, or one with TLS on top. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#timer = setInterval(() => this.#ask(), askMs);
    this.#ask();
  }

  /** Ends it. @returns The rate in Mbit/s; `undefined` when too little has arrived to tell. */
  stop(): number | undefined {
    clearInterval(this.#timer);
    this.#ask();
    return this.#rate.mbps();
  }

  #ask(): void {
    const asked = performance.now();
    const [subflow] = info(this.#socket).subflows;
    if (subflow === undefined) return;
    const { segmentsReceived, receivedSegmentSize } = subflow;
    const more = segmentsReceived - (this.#segments ?? segmentsReceived);
    this.#segments = segmentsReceived;
    this.#rate.add(more * receivedSegmentSize, performance.now(), asked);
  }
}
