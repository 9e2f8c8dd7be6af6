import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type Authority, errorCode, errorMessage, type Logger, ManypathError } from '@manypath/core';
import {
  type InfoReason,
  info,
  listen,
  listenerInfo,
  resetSocket,
  setSocketOption,
  widenReceiveBuffer,
} from '@manypath/mptcp';
import { type ClientConnection, ClientConnections } from './client-connections.ts';
import { CountedLog } from './counted-log.ts';
import type { RelayLimits } from './limits.ts';
import type { ServerCertificate } from './server-certificate.ts';

export interface TlsListenerOptions {
  certificate: ServerCertificate;
  limits: RelayLimits;
  logger: Logger;
  /** Gets each connection once TLS is established; `alpnProtocol` tells what is spoken on it. */
  serve: (socket: TLSSocket) => void;
}

/** What clients connect to: TLS 1.3 on MPTCP, with limits, with room for strangers, and with the certificate of the day. */
export class TlsListener {
  readonly #options: TlsListenerOptions;
  readonly #server: Server;
  readonly #connections: ClientConnections;
  readonly #displaced: CountedLog;
  readonly #full: CountedLog;
  readonly #sockets = new Set<Socket>();
  /** Those whose TLS handshake is not over, by the address and port of the client. */
  readonly #handshaking = new Map<string, ClientConnection>();
  readonly #secured = new WeakMap<Duplex, ClientConnection>();
  readonly #certificateCheck: NodeJS.Timeout;
  #cert: string;
  #trouble: string | undefined;
  #closed: Promise<void> | undefined;

  /** @throws what `load` of the certificate throws */
  constructor(options: TlsListenerOptions) {
    this.#options = options;
    const { certificate, limits, logger } = options;
    const counted = { logger, everyMs: limits.tellAgainMs, addresses: limits.rememberedAddresses };
    this.#displaced = new CountedLog({
      ...counted,
      message: 'closed connections that had not shown the secret, to make room for others',
    });
    this.#full = new CountedLog({ ...counted, message: 'turned paired clients away: too many connections' });
    this.#connections = new ClientConnections(limits, {
      onDisplaced: ({ peer }) => this.#displaced.note(peer),
      onFull: ({ peer }) => this.#full.note(peer),
    });
    const pair = certificate.load();
    this.#cert = pair.cert;
    this.#server = createServer({
      ...pair,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: limits.authenticateMs,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: limits.keepAliveMs,
    });
    this.#server.on('connection', (socket: Socket) => this.#admit(socket));
    this.#server.on('secureConnection', socket => this.#serve(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      this.#options.logger.debug(
        { code: errorCode(error), error: errorMessage(error) },
        'TLS handshake failed',
      );
      socket.destroy();
    });
    // Looked at rather than watched: events miss links that are set to another file.
    this.#certificateCheck = setInterval(() => this.#renewCertificate(), limits.certificateCheckMs);
    this.#certificateCheck.unref();
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.total;
  }

  /** Those that have not shown the secret. */
  get strangers(): number {
    return this.#connections.strangers;
  }

  /** From how many addresses they come. */
  get peers(): number {
    return this.#connections.peers;
  }

  /** How many of them are MPTCP. */
  get multipathConnections(): number {
    return [...this.#sockets].filter(socket => info(socket).multipath).length;
  }

  /** `peer-refused` where Multipath TCP is taken; else why this host has none. */
  get plainReason(): InfoReason {
    return listenerInfo(this.#server)?.reason ?? 'not-requested';
  }

  /** @returns Where it listens. */
  async listen(where: Authority, congestion: string | undefined): Promise<Authority> {
    try {
      // Both families, or IPv4 alone where IPv6 is off.
      const place = where.host === '::' ? { port: where.port } : where;
      await listen(this.#server, { ...place, ...(congestion === undefined ? {} : { congestion }) });
    } catch (error) {
      clearInterval(this.#certificateCheck);
      throw error;
    }
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Takes no more connections. @returns What settles when the last one has ended. */
  close(): Promise<void> {
    clearInterval(this.#certificateCheck);
    for (const log of [this.#displaced, this.#full]) log.close();
    this.#closed ??= new Promise(resolve => this.#server.close(() => resolve()));
    return this.#closed;
  }

  /** The connection below what `serve` was given. */
  connectionOf(socket: Duplex): ClientConnection | undefined {
    return this.#secured.get(socket);
  }

  /** The client of this connection has shown the secret. @returns Whether it may stay. */
  authenticated(connection: ClientConnection): boolean {
    const wasStranger = connection.isStranger;
    if (!this.#connections.authenticated(connection)) return false;
    if (wasStranger) widenReceiveBuffer(connection.socket, this.#options.limits.receiveBufferBytes);
    return true;
  }

  /** Ends all connections at once. */
  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #admit(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#closed !== undefined) {
      resetSocket(socket);
      return;
    }
    const connection = this.#connections.admit(socket);
    const client = clientEnd(socket);
    this.#handshaking.set(client, connection);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#handshaking.get(client) === connection) this.#handshaking.delete(client);
    });
  }

  #serve(socket: TLSSocket): void {
    const { limits, logger, serve } = this.#options;
    socket.on('error', error => logger.debug({ code: errorCode(error) }, 'client connection failed'));
    const client = clientEnd(socket);
    const connection = this.#handshaking.get(client);
    this.#handshaking.delete(client);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    connection.secured();
    this.#secured.set(socket, connection);
    keepQueueShort(socket, limits.notSentBytes);
    serve(socket);
  }

  /** Puts a new certificate to use for the connections that come; those that are there keep theirs. */
  #renewCertificate(): void {
    const { certificate, logger } = this.#options;
    try {
      const pair = certificate.load();
      this.#trouble = undefined;
      if (pair.cert === this.#cert) return;
      this.#server.setSecureContext({ ...pair, minVersion: 'TLSv1.3' });
      this.#cert = pair.cert;
      logger.info({}, 'new certificate in use');
    } catch (error) {
      const trouble = errorMessage(error);
      // Said once, and not each time it is looked at.
      if (trouble !== this.#trouble) {
        logger.warn({ code: errorCode(error), error: trouble }, 'the certificate stays the one it was');
      }
      this.#trouble = trouble;
    }
  }
}

/** Tells the connections of a listener apart: Node does not say which connection a TLS socket is on. */
function clientEnd({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Where the kernel cannot, bytes wait longer, and all else works. */
function keepQueueShort(socket: TLSSocket, bytes: number): void {
  try {
    setSocketOption(socket, 'notSentLowWater', bytes);
  } catch (error) {
    if (!ManypathError.is(error)) throw error;
  }
}
