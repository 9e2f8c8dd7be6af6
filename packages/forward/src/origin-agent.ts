import { Agent, type ClientRequest, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Authority } from '@manypath/core';
import type { ForwardLimits } from './limits.ts';

/** How long an idle connection to an origin is kept, in milliseconds; most servers close theirs later. */
const idleOriginMs = 4000;

type ConnectionCallback = (error: Error | null, socket: Duplex) => void;

/**
 * Keeps connections to origins for the next request, whatever they are made of: sockets, or streams of a lane,
 * which lack some of a socket's methods.
 */
export class OriginAgent extends Agent {
  readonly #dial: (target: Authority, signal: AbortSignal) => Promise<Duplex>;
  readonly #closing = new AbortController();

  constructor(dial: (target: Authority, signal: AbortSignal) => Promise<Duplex>, limits: ForwardLimits) {
    super({ keepAlive: true, maxFreeSockets: limits.idleOriginConnections, timeout: idleOriginMs });
    this.#dial = dial;
  }

  override createConnection(options: ClientRequestArgs, callback?: ConnectionCallback): never {
    const target = { host: String(options.host), port: Number(options.port) };
    this.#dial(target, this.#closing.signal).then(
      socket => callback?.(null, socket),
      (error: Error) => callback?.(error, undefined as never),
    );
    // Node takes a connection from the callback when nothing is returned, which its types do not know.
    return undefined as never;
  }

  override keepSocketAlive(socket: Duplex): boolean {
    if (socket.destroyed || !socket.writable) return false;
    return isSocketLike(socket) ? Boolean(super.keepSocketAlive(socket)) : true;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    if (isSocketLike(socket)) super.reuseSocket(socket, request);
    else request.reusedSocket = true;
  }

  override destroy(): void {
    this.#closing.abort();
    super.destroy();
  }
}

function isSocketLike(socket: Duplex): boolean {
  return 'setKeepAlive' in socket && 'unref' in socket;
}
