import type { Duplex } from 'node:stream';
import type { Authority, Clock } from '@manypath/core';
import { Http1Connection, type Http1ConnectionOptions } from './http1-connection.ts';
import { type ForwardLimits, forwardLimits } from './limits.ts';
import { type RelayHandle, RelayResetError, relayBytes } from './relay-bytes.ts';

/** What a proxy does with what its {@link HttpFront} reads. */
export interface HttpFrontOptions
  extends Pick<Http1ConnectionOptions, 'authorize' | 'onOwn' | 'onTunnel' | 'clock'> {
  /** Opens connections for plain HTTP requests. */
  dial: (target: Authority, context: { signal: AbortSignal }) => Promise<Duplex>;
  limits?: Partial<ForwardLimits>;
  clock?: Clock;
}

/**
 * The HTTP/1.1 side of a proxy: tunnels by CONNECT, and plain requests (absolute-form, RFC 9112 §3.2.2) with keep-alive on both
 * sides, bodies of any length, trailers, 1xx and upgrades.
 */
export class HttpFront {
  readonly #options: Http1ConnectionOptions;
  readonly #connections = new Set<Http1Connection>();
  /** What became of upgrades. */
  readonly #tunnels = new Set<RelayHandle>();

  constructor(options: HttpFrontOptions) {
    this.#options = {
      ...options,
      limits: { ...forwardLimits, ...options.limits },
      onSwitched: (client, upstream) => this.#join(client, upstream),
    };
  }

  /** Serves a connection. @param first What was read of it already. */
  serve(socket: Duplex, first?: Buffer): void {
    const connection = new Http1Connection(socket, this.#options, this.#onGone);
    this.#connections.add(connection);
    if (first !== undefined) connection.receive(first);
  }

  /** Ends the connections of clients, with those to origins. */
  close(): void {
    for (const connection of this.#connections) connection.destroy();
    for (const tunnel of this.#tunnels) tunnel.abort(new RelayResetError('proxy'));
  }

  readonly #onGone = (connection: Http1Connection): void => void this.#connections.delete(connection);

  #join(client: Duplex, upstream: Duplex): void {
    const tunnel = relayBytes(client, upstream, { limits: this.#options.limits });
    this.#tunnels.add(tunnel);
    void tunnel.done.then(() => this.#tunnels.delete(tunnel));
  }
}
