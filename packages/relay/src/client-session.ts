import { constants as http2, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from '@manypath/core';
import { type Dial, type ForwardLimits, OriginPool } from '@manypath/forward';
import type { RelayLimits } from './limits.ts';
import { ReceiveWindows } from './receive-windows.ts';

export interface ClientSessionOptions {
  limits: RelayLimits;
  forwardLimits: ForwardLimits;
  /** Opens connections for plain requests. */
  dial: Dial;
  clock?: Clock;
}

/** One HTTP/2 connection of a client: what it may do before and after it has shown the secret. */
export class ClientSession {
  /** Connections to origins for the plain requests of this client. */
  readonly pool: OriginPool;
  /** The connection below. */
  readonly socket: Socket;
  readonly #session: ServerHttp2Session;
  readonly #limits: RelayLimits;
  readonly #clock: Clock;
  readonly #windows: ReceiveWindows;
  /** Runs while an answer to PING is waited for. */
  #answer: Timer | undefined;
  #resets = 0;
  #resetsSince: number;
  #authenticated = false;

  constructor(session: ServerHttp2Session, socket: Socket, options: ClientSessionOptions) {
    const { limits, forwardLimits, dial, clock = systemClock } = options;
    this.#session = session;
    this.socket = socket;
    this.#limits = limits;
    this.#clock = clock;
    this.#resetsSince = clock.now();
    this.pool = new OriginPool(dial, forwardLimits, clock);
    this.#windows = new ReceiveWindows(session, { limits, bytesReceived: () => socket.bytesRead, clock });
    session.setLocalWindowSize(limits.sessionWindowBytes);
    session.setTimeout(limits.idleSessionMs);
    session.on('timeout', () => this.#idle());
    // Sockets here may be half-open, for tunnels in HTTP/1.1; half an HTTP/2 connection is none.
    socket.once('end', () => this.end());
    // Whoever does not close after us keeps no connection for that.
    socket.once('finish', () => clock.after(limits.lingerMs, () => socket.destroy()));
    session.once('close', () => this.#closed());
  }

  /** Counts what a stream holds until it closes. */
  watch(stream: ServerHttp2Stream): void {
    this.#windows.add(stream);
    stream.once('aborted', () => {
      this.#countReset();
      // Node waits for what it can no longer send when a stream is reset without an error code.
      setImmediate(() => stream.destroy());
    });
  }

  /**
   * A request had the right secret: from now on the client may use all there is.
   *
   * @param aheadBytes What the client wants to be kept of each stream at most.
   */
  accepted(aheadBytes?: number): void {
    if (this.#authenticated) return;
    this.#authenticated = true;
    this.#windows.open(aheadBytes);
  }

  hangUp(): void {
    if (!this.#session.destroyed) this.#session.destroy(undefined, http2.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  /** Ends the connection with all that is open on it. */
  end(): void {
    if (!this.#session.destroyed) this.#session.destroy();
  }

  /** Tells the client to open no more streams here (GOAWAY); the open ones go on. */
  drain(): void {
    if (!this.#session.closed && !this.#session.destroyed) this.#session.close();
  }

  /** No frame came or went for long: the connection is ended, or if something is open on it, it has to prove itself. */
  #idle(): void {
    if (this.#session.destroyed) return;
    if (this.#windows.streams === 0) {
      this.drain();
      return;
    }
    this.#answer?.cancel();
    this.#answer = this.#clock.after(this.#limits.answerMs, () => this.hangUp());
    this.#session.ping(() => {
      this.#answer?.cancel();
      // An answer to PING is not what Node begins to count anew for.
      if (!this.#session.destroyed) this.#session.setTimeout(this.#limits.idleSessionMs);
    });
  }

  /**
   * Clients break streams off now and then, but whoever does nothing else makes work for nothing (CVE-2023-44487). nghttp2
   * gives those up without a word and leaves the connection hanging (1000 resets, then 33 a second): this is to come first.
   */
  #countReset(): void {
    const { resetsPerConnection, resetsPerSecond } = this.#limits;
    const now = this.#clock.now();
    const forgotten = ((now - this.#resetsSince) / 1000) * resetsPerSecond;
    this.#resets = Math.max(0, this.#resets - forgotten) + 1;
    this.#resetsSince = now;
    if (this.#resets > resetsPerConnection) this.drain();
    if (this.#resets > resetsPerConnection * 1.5) this.hangUp();
  }

  #closed(): void {
    this.#answer?.cancel();
    this.pool.close();
  }
}
