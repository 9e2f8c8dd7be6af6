import { constants as http2, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { type Clock, systemClock } from '@manypath/core';
import { type Dial, forwardLimits, OriginAgent } from '@manypath/forward';
import type { Asker } from './authentication.ts';
import type { RelayLimits } from './limits.ts';
import { ReceiveWindows } from './receive-windows.ts';

/** One HTTP/2 connection of a client: what it may do before and after it has shown the secret. */
export class ClientSession implements Asker {
  readonly remoteAddress: string | undefined;
  /** Connections to origins for the plain requests of this client. */
  readonly agent: OriginAgent;
  readonly #session: ServerHttp2Session;
  readonly #limits: RelayLimits;
  readonly #windows: ReceiveWindows;
  #refusals = 0;
  #authenticated = false;

  constructor(
    session: ServerHttp2Session,
    socket: Socket,
    options: { limits: RelayLimits; dial: Dial; clock?: Clock },
  ) {
    const { limits, dial, clock = systemClock } = options;
    this.#session = session;
    this.#limits = limits;
    this.remoteAddress = socket.remoteAddress;
    this.agent = new OriginAgent((target, signal) => dial(target, { signal }), forwardLimits);
    this.#windows = new ReceiveWindows(session, { limits, bytesReceived: () => socket.bytesRead, clock });
    session.setLocalWindowSize(limits.sessionWindowBytes);
    session.setTimeout(limits.idleSessionMs, () => session.close());
    const timer = clock.after(limits.authenticateMs, () => {
      if (!this.#authenticated) this.hangUp();
    });
    // Whoever does not close after us keeps no connection for that.
    socket.once('finish', () => clock.after(limits.lingerMs, () => socket.destroy()));
    session.once('close', () => {
      timer.cancel();
      this.agent.destroy();
    });
  }

  /** Whether a request on this connection had the right secret. */
  get authenticated(): boolean {
    return this.#authenticated;
  }

  /** Counts what a stream holds until it closes. */
  watch(stream: ServerHttp2Stream): void {
    this.#windows.add(stream);
  }

  /** A request had the right secret: from now on the client may use all there is. */
  accepted(): void {
    if (this.#authenticated) return;
    this.#authenticated = true;
    this.#windows.open();
  }

  /** Counts a refused request: whoever has none but those is sent away. */
  refused(): void {
    this.#refusals += 1;
    if (!this.#authenticated && this.#refusals >= this.#limits.refusalsPerConnection) this.hangUp();
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
}
