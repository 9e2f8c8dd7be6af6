import { constants as http2, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { type Clock, systemClock, type Timer } from '@manypath/core';
import type { RelayLimits } from './limits.ts';

/** Bytes that must arrive between two checks for the second to be worth its while: fewer can do no harm. */
const notableBytes = 1_048_576;
/** A stream with this much waiting has a target that is slower than its client. */
const stuckBytes = 262_144;

export interface ReceiveWindowsOptions {
  limits: RelayLimits;
  /** Bytes that have come in on the connection so far. */
  bytesReceived: () => number;
  clock?: Clock;
}

/**
 * Keeps memory bounded when clients send faster than targets take.
 *
 * Node credits the connection's window at once and a stream's window as its bytes are read, so a stuck stream never
 * holds up its neighbours (no head-of-line blocking), but holds up to a whole window of bytes. One window must be large for
 * one upload to fill fast paths; thousands of them would take all memory. So when much is waiting, the windows of all
 * streams are lowered by SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 §6.9.2), and raised again when it has gone out.
 */
export class ReceiveWindows {
  readonly #session: ServerHttp2Session;
  readonly #limits: RelayLimits;
  readonly #clock: Clock;
  readonly #bytesReceived: () => number;
  readonly #streams = new Set<ServerHttp2Stream>();
  #isOpen = false;
  #window: number;
  /** What it is while nothing is wrong. */
  #largest: number;
  #received = 0;
  /** Runs while the client has not acknowledged the last change. */
  #settling: Timer | undefined;
  #timer: Timer | undefined;

  constructor(
    session: ServerHttp2Session,
    { limits, bytesReceived, clock = systemClock }: ReceiveWindowsOptions,
  ) {
    this.#session = session;
    this.#limits = limits;
    this.#clock = clock;
    this.#bytesReceived = bytesReceived;
    this.#window = limits.strangersWindowBytes;
    this.#largest = limits.streamWindowBytes;
  }

  /** The window that streams have now, in bytes. */
  get window(): number {
    return this.#window;
  }

  /** How many streams are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Gives the client the large windows, or those that it wants, and all the streams. */
  open(wantedBytes = this.#limits.streamWindowBytes): void {
    this.#isOpen = true;
    this.#largest = Math.min(wantedBytes, this.#limits.streamWindowBytes);
    this.#set(this.#largest);
  }

  /** Watches a stream until it closes. */
  add(stream: ServerHttp2Stream): void {
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
    this.#checkLater();
  }

  #checkLater(): void {
    if (this.#timer !== undefined || this.#session.destroyed) return;
    if (this.#streams.size === 0 && !this.#isLowered()) return;
    this.#timer = this.#clock.after(this.#limits.backlogCheckMs, () => {
      this.#timer = undefined;
      this.#check();
      this.#checkLater();
    });
  }

  #isLowered(): boolean {
    return this.#isOpen && this.#window < this.#largest;
  }

  #check(): void {
    const received = this.#bytesReceived();
    const hasNews = received - this.#received >= notableBytes;
    if (this.#session.destroyed || !this.#isOpen || !(hasNews || this.#isLowered())) return;
    this.#received = received;
    const { waiting, stuck } = this.#backlog();
    const { sessionBacklogBytes, smallestStreamWindowBytes } = this.#limits;
    if (waiting > sessionBacklogBytes) {
      const share = Math.floor(sessionBacklogBytes / 2 / (stuck + 1));
      this.#set(Math.min(this.#window, Math.max(smallestStreamWindowBytes, share)));
    } else if (this.#isLowered() && waiting < sessionBacklogBytes / 4) {
      this.#set(this.#largest);
    }
  }

  #backlog(): { waiting: number; stuck: number } {
    let waiting = 0;
    let stuck = 0;
    for (const { readableLength } of this.#streams) {
      waiting += readableLength;
      if (readableLength > stuckBytes) stuck += 1;
    }
    return { waiting, stuck };
  }

  #set(window: number): void {
    if (window === this.#window || this.#settling !== undefined || this.#session.destroyed) return;
    this.#window = window;
    this.#settling = this.#clock.after(this.#limits.answerMs, () => {
      if (!this.#session.destroyed) this.#session.destroy(undefined, http2.NGHTTP2_SETTINGS_TIMEOUT);
    });
    const settings = { initialWindowSize: window, maxConcurrentStreams: this.#limits.streamsPerConnection };
    this.#session.settings(settings, () => {
      this.#settling?.cancel();
      this.#settling = undefined;
    });
  }
}
