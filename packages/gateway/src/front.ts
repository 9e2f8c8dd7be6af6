import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Authority, type Clock, type HttpRequestHead, SocksProtocolError } from '@manypath/core';
import { acceptTunnel, HttpFront, refuseTunnel } from '@manypath/forward';
import type { Dialect } from './dial-request.ts';
import { ForeignUserError, NotAProxyRequestError, TooManyConnectionsError } from './errors.ts';
import type { GatewayLimits } from './limits.ts';
import {
  readSocksRequest,
  socksAcceptance,
  socksRefusal,
  socksRejection,
  socksVersions,
} from './socks-front.ts';

/** A client wants a connection to `target`, and waits for an answer. */
export interface TunnelWish {
  readonly socket: Socket;
  readonly target: Authority;
  readonly dialect: Dialect;
  /** Tells the client that its connection is open. */
  accept(): void;
  /** Tells the client why there is none, and closes. */
  refuse(error: unknown): void;
}

export interface FrontOptions {
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  /** Serves a wish; fulfilled when that is over. Must not reject. */
  readonly onTunnel: (wish: TunnelWish) => Promise<void>;
  /** Opens connections for plain HTTP requests. */
  readonly dial: (target: Authority, context: { signal: AbortSignal }) => Promise<Duplex>;
  /** Answers a request for this port itself, where it knows how. */
  readonly onOwn?: (socket: Duplex, head: HttpRequestHead) => boolean;
}

/** Whether an accepted connection may use the proxy. */
export type Admission = (socket: Socket) => boolean;

const spokenSocks: ReadonlySet<number> = new Set(Object.values(socksVersions));
const tlsHandshake = 0x16;
/**
 * Takes connections of clients and finds out by their first byte what they speak: SOCKS, or HTTP. One port serves
 * both.
 */
export class Front {
  readonly #options: FrontOptions;
  readonly #http: HttpFront;
  /** Clients that read or are read here; a tunnel takes its client away with it. */
  readonly #clients = new Set<Socket>();
  /** Clients for whom there is no room, until they have been told. */
  readonly #turnedAway = new Set<Socket>();
  /** Clients of other users, until they have been told. */
  readonly #foreign = new Set<Socket>();
  #tunnels = 0;

  constructor(options: FrontOptions) {
    this.#options = options;
    this.#http = new HttpFront({
      dial: options.dial,
      limits: { requestHeadMs: options.limits.headMs },
      ...(options.onOwn === undefined ? {} : { onOwn: options.onOwn }),
      onTunnel: ({ socket, target, head }) => {
        const accept = head.headers.find(([name]) => name.toLowerCase() === 'accept')?.[1];
        this.#serve({
          socket: socket as Socket,
          target,
          dialect: 'connect',
          accept: () => acceptTunnel(socket),
          refuse: error => refuseTunnel(socket, error, accept),
        });
      },
    });
  }

  /** Client connections that are open, whatever they are doing. */
  get clients(): number {
    return this.#clients.size + this.#tunnels;
  }

  /** Serves the connections of a proxy port. */
  listen(server: Server, admits: Admission): void {
    server.on('connection', socket => this.#accept(socket, admits));
  }

  /** Serves connections that were meant for another place, which `targetOf` knows; or for this one, as `isOwn` says. */
  listenRedirected(
    server: Server,
    {
      targetOf,
      isOwn,
    }: {
      targetOf: (socket: Socket) => Authority | undefined;
      isOwn: (target: Authority) => boolean;
    },
  ): void {
    server.on('connection', socket => {
      const meant = targetOf(socket);
      if (meant !== undefined && isOwn(meant)) {
        this.#accept(socket, () => true);
        return;
      }
      const full = this.clients >= this.#options.limits.connections;
      this.#track(socket, this.#clients);
      const target = full ? undefined : meant;
      if (target === undefined) return void socket.resetAndDestroy();
      this.#serve({
        socket,
        target,
        dialect: 'local',
        accept: () => {},
        // As the kernel would: who connects to a port on which nobody listens is reset.
        refuse: () => void socket.resetAndDestroy(),
      });
    });
  }

  /** Breaks off all clients. */
  close(): void {
    this.#http.close();
    for (const socket of [...this.#clients, ...this.#turnedAway, ...this.#foreign]) socket.destroy();
  }

  #serve(wish: TunnelWish): void {
    this.#clients.delete(wish.socket);
    this.#tunnels += 1;
    void this.#options.onTunnel(wish).finally(() => {
      this.#tunnels -= 1;
    });
  }

  #track(socket: Socket, among: Set<Socket>): void {
    socket.setNoDelay(true);
    among.add(socket);
    socket.once('close', () => among.delete(socket));
  }

  #accept(socket: Socket, admits: Admission): void {
    const { connections, turnedAway, foreignTurnedAway, ...limits } = this.#options.limits;
    // Asked before anything else: strangers must not use up what the user needs.
    if (!admits(socket)) {
      this.#turnAway(socket, new ForeignUserError(), this.#foreign, {
        most: foreignTurnedAway,
        ms: limits.foreignMs,
      });
    } else if (this.clients >= connections) {
      const refusal = new TooManyConnectionsError(connections);
      this.#turnAway(socket, refusal, this.#turnedAway, { most: turnedAway, ms: limits.lingerMs });
    } else {
      this.#onFirstByte(socket, this.#clients, limits.firstByteMs, undefined);
    }
  }

  /** Closes a connection, with the reason in the dialect of its first byte as long as few wait for that. */
  #turnAway(socket: Socket, reason: Error, others: Set<Socket>, wait: { most: number; ms: number }): void {
    if (others.size >= wait.most) socket.resetAndDestroy();
    else this.#onFirstByte(socket, others, wait.ms, reason);
  }

  #onFirstByte(socket: Socket, among: Set<Socket>, milliseconds: number, refusal: Error | undefined): void {
    this.#track(socket, among);
    const onFirst = (bytes: Buffer) => {
      timer.cancel();
      socket.off('end', destroy).off('close', cancel).off('error', swallow);
      this.#dispatch(socket, bytes, refusal);
    };
    const destroy = () => void socket.destroy();
    const timer = this.#options.clock.after(milliseconds, destroy);
    const cancel = () => timer.cancel();
    socket.on('error', swallow).once('end', destroy).once('close', cancel).once('data', onFirst);
  }

  #dispatch(socket: Socket, first: Buffer, refusal: Error | undefined): void {
    const [firstByte = 0] = first;
    const speaksSocks = spokenSocks.has(firstByte);
    if (refusal === undefined && !speaksSocks && firstByte !== tlsHandshake) {
      this.#http.serve(socket, first);
      return;
    }
    socket.pause();
    socket.unshift(first);
    if (refusal !== undefined) {
      if (speaksSocks) this.#goodbye(socket, socksRejection(firstByte));
      else refuseTunnel(socket, refusal);
    } else if (speaksSocks) {
      void this.#serveSocks(socket, firstByte);
    } else {
      refuseTunnel(socket, tlsRefusal());
    }
  }

  async #serveSocks(socket: Socket, version: number): Promise<void> {
    const { limits, clock } = this.#options;
    socket.on('error', swallow);
    let target: Authority;
    try {
      target = await readSocksRequest(socket, version, limits.headMs, clock);
    } catch (error) {
      // What has to be said in SOCKS was said while it was read.
      if (error instanceof SocksProtocolError) this.#goodbye(socket);
      else socket.destroy();
      return;
    } finally {
      socket.off('error', swallow);
    }
    this.#serve({
      socket,
      target,
      dialect: version === socksVersions.four ? 'socks4' : 'socks5',
      accept: () => void socket.write(socksAcceptance(version)),
      refuse: error => this.#goodbye(socket, socksRefusal(version, error)),
    });
  }

  /** Ends a connection so that its last words arrive: what the client still sends is read, for a while. */
  #goodbye(socket: Socket, words?: Uint8Array): void {
    if (socket.destroyed) return;
    socket.on('error', () => {});
    if (words === undefined) socket.end();
    else socket.end(words);
    socket.resume();
    const timer = this.#options.clock.after(this.#options.limits.lingerMs, () => socket.destroy());
    socket.once('close', () => timer.cancel());
  }
}

function swallow(): void {}

function tlsRefusal(): NotAProxyRequestError {
  return new NotAProxyRequestError('this port is no TLS server: it speaks HTTP and SOCKS in the clear');
}
