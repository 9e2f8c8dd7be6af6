import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import {
  type Authority,
  CountedLog,
  errorCode,
  errorMessage,
  type Logger,
  ManypathError,
} from '@manypath/core';
import {
  BulkListener,
  type InfoReason,
  info,
  listen,
  listenerInfo,
  multipathSupport,
  setSocketOption,
  widenReceiveBuffer,
} from '@manypath/mptcp';
import type { Arrival } from './arrival.ts';
import { type ClientConnection, ClientConnections } from './client-connections.ts';
import { Doorway } from './doorway.ts';
import type { RelayLimits } from './limits.ts';
import type { ServerCertificate } from './server-certificate.ts';

export interface TlsListenerOptions {
  certificate: ServerCertificate;
  limits: RelayLimits;
  logger: Logger;
  /** What may be spoken, as ALPN names it, the preferred one first. */
  protocols: readonly string[];
  /** Gets each connection once TLS is established; `alpnProtocol` tells what is spoken on it. */
  serve: (socket: TLSSocket) => void;
  /** The kernel has Multipath TCP, which it had not before: connections that come from now on may be that. */
  onMultipath: () => void;
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
  readonly #kernelCheck: NodeJS.Timeout;
  #cert: string;
  #trouble: string | undefined;
  #portTrouble: string | undefined;
  #isReopening = false;
  #doorway: Doorway | undefined;
  #closed: Promise<void> | undefined;
  #onLastClosed: (() => void) | undefined;

  /** @throws what `load` of the certificate throws */
  constructor(options: TlsListenerOptions) {
    this.#options = options;
    const { certificate, limits, logger } = options;
    const counted = {
      logger,
      everyMs: limits.tellAgainMs,
      fields: ['address', 'addresses'] as const,
      most: limits.rememberedAddresses,
    };
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
      ALPNProtocols: [...options.protocols],
      handshakeTimeout: limits.authenticateMs,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: limits.keepAliveMs,
    });
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
    this.#kernelCheck = setInterval(() => void this.#takeUpMultipath(), limits.kernelCheckMs);
    this.#kernelCheck.unref();
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
    return (this.#doorway?.info ?? listenerInfo(this.#server))?.reason ?? 'not-requested';
  }

  /** @returns Where it listens. */
  async listen(where: Authority, congestion: string | undefined): Promise<Authority> {
    // Both families, or IPv4 alone where IPv6 is off.
    const place = where.host === '::' ? { port: where.port } : where;
    try {
      return await this.#listenAt(place, congestion);
    } catch (error) {
      this.#stopChecks();
      throw error;
    }
  }

  async #listenAt(
    place: { host?: string; port: number },
    congestion: string | undefined,
  ): Promise<Authority> {
    const { limits } = this.#options;
    if (BulkListener.isSupported) {
      this.#doorway = await Doorway.open({
        where: place,
        congestion,
        limits,
        connections: this.#connections,
        onHello: arrival => this.#speakTo(arrival),
      });
      return this.#doorway.address;
    }
    // Without descriptors of the kernel every connection becomes a socket at once.
    this.#server.prependListener('connection', (socket: Socket) => this.#admit(socket));
    await listen(this.#server, place);
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Takes no more connections. @returns What settles when the last one has ended. */
  close(): Promise<void> {
    this.#closed ??= new Promise(resolve => {
      this.#stopChecks();
      for (const log of [this.#displaced, this.#full]) log.close();
      this.#doorway?.close();
      this.#server.close();
      this.#onLastClosed = resolve;
      if (this.#sockets.size === 0) resolve();
    });
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

  /** Begins TLS with somebody who has begun it. */
  #speakTo(arrival: Arrival): void {
    const socket = arrival.connection.toSocket({ allowHalfOpen: true });
    socket.setNoDelay(true).setKeepAlive(true, this.#options.limits.keepAliveMs);
    this.#admit(socket, arrival);
    this.#server.emit('connection', socket);
  }

  #admit(socket: Socket, arrival?: Arrival): void {
    socket.on('error', () => {});
    const connection = this.#connections.opened(socket, arrival);
    const client = clientEnd(socket);
    this.#handshaking.set(client, connection);
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#handshaking.get(client) === connection) this.#handshaking.delete(client);
      if (this.#sockets.size === 0) this.#onLastClosed?.();
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

  /** Where the kernel had no Multipath TCP, and has it by now, the port is listened on anew. */
  async #takeUpMultipath(): Promise<void> {
    const { logger, onMultipath } = this.#options;
    const isWaiting = this.#doorway !== undefined && passing.has(this.plainReason) && !this.#isReopening;
    if (!isWaiting || this.#closed !== undefined || multipathSupport() !== 'multipath') return;
    this.#isReopening = true;
    try {
      await this.#doorway?.listenAnew();
      this.#portTrouble = undefined;
      if (passing.has(this.plainReason)) return;
      logger.info({}, 'Multipath TCP is on in the kernel by now: clients may use all their paths');
      onMultipath();
    } catch (error) {
      const trouble = errorMessage(error);
      if (trouble !== this.#portTrouble) {
        const why = { code: errorCode(error), error: trouble };
        logger.warn(why, 'the port cannot be listened on, which is tried again');
      }
      this.#portTrouble = trouble;
    } finally {
      this.#isReopening = false;
    }
  }

  #stopChecks(): void {
    clearInterval(this.#certificateCheck);
    clearInterval(this.#kernelCheck);
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

/** Why a listener takes plain TCP only that may pass while it runs. */
const passing: ReadonlySet<InfoReason> = new Set(['switched-off', 'kernel-without-mptcp', 'blocked']);

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
