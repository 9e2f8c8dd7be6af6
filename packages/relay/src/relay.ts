import type { AddressInfo, Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { type Authority, errorCode, errorMessage, formatAuthority, formatPairing } from '@manypath/core';
import { acceptTunnel, HttpFront, refuseTunnel, relayBytes, type TunnelRequest } from '@manypath/forward';
import { info, type Lookup, listen } from '@manypath/mptcp';
import { Authentication } from './authentication.ts';
import { ConnectionQuota } from './connection-quota.ts';
import { TargetDialer } from './dial.ts';
import { Http2Front } from './http2-front.ts';
import { type CertificateFiles, loadIdentity, type RelayIdentity } from './identity.ts';
import { type RelayLimits, relayLimits } from './limits.ts';
import { guessPublicHost } from './public-host.ts';

/** Where the relay writes what happens. Hosts are named only with `logHosts`. */
export interface RelayLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Options of {@link startRelay}. */
export interface RelayOptions {
  /** Where to listen; port 0 takes a free one. */
  listen: Authority;
  /** Keeps secret, key and certificate; only its owner may read it. */
  stateDir: string;
  /** How clients reach this relay, for the pairing URL. Default: a guess from the interfaces. */
  publicHost?: Authority;
  /** Whether loopback, private, link-local and metadata addresses are dialled too. Default false. */
  allowPrivate?: boolean;
  /** A certificate from an authority; then pairings carry no pin. */
  certificate?: CertificateFiles;
  /** Congestion control towards clients; default: the system's. */
  congestion?: string;
  /** Whether hosts that clients ask for are logged. Default false. */
  logHosts?: boolean;
  /** Resolves the names of targets. Default: the system's resolver. */
  lookup?: Lookup;
  logger?: RelayLogger;
  limits?: Partial<RelayLimits>;
}

/** A running relay. */
export interface Relay {
  readonly address: Authority;
  /** The URL that pairs a gateway with this relay. */
  readonly pairing: string;
  status(): RelaySnapshot;
  /** Stops listening, lets tunnels end for a moment, then ends them. */
  close(): Promise<void>;
}

/** What a relay is doing. */
export interface RelaySnapshot {
  /** Connections of clients, and how many of them are MPTCP. */
  readonly connections: number;
  readonly multipathConnections: number;
  readonly tunnels: number;
  readonly bytesFromClients: number;
  readonly bytesFromTargets: number;
}

const silent: RelayLogger = { debug() {}, info() {}, warn() {} };

/**
 * Starts the relay: a standard forward proxy over TLS 1.3 on an MPTCP listener.
 *
 * HTTP/1.1 and HTTP/2 `CONNECT`, and plain `http://` requests, with `Proxy-Authorization: Basic`.
 *
 * @throws RelayIdentityError `MANYPATH_RELAY_IDENTITY`
 * @throws BindError `MPTCP_BIND_FAILED`
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const relay = new RunningRelay(options);
  await relay.listen();
  return relay;
}

class RunningRelay implements Relay {
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #logger: RelayLogger;
  readonly #identity: RelayIdentity;
  readonly #server: Server;
  readonly #dialer: TargetDialer;
  readonly #quota: ConnectionQuota;
  readonly #authentication: Authentication;
  readonly #http1: HttpFront;
  readonly #http2: Http2Front;
  readonly #sockets = new Set<Socket>();
  readonly #tunnels = new Set<ReturnType<typeof relayBytes>>();
  #bytesFromClients = 0;
  #bytesFromTargets = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#limits = { ...relayLimits, ...options.limits };
    this.#logger = options.logger ?? silent;
    this.#identity = loadIdentity(options.stateDir, [this.#publicHost()], options.certificate);
    this.#quota = new ConnectionQuota(this.#limits);
    this.#authentication = new Authentication(this.#identity.secret, this.#limits);
    this.#dialer = new TargetDialer({
      allowPrivate: options.allowPrivate ?? false,
      timeoutMs: this.#limits.dialMs,
      lookup: options.lookup,
    });
    const authorize = (headers: Parameters<Authentication['check']>[0], client: Duplex) =>
      this.#authentication.check(headers, (client as Socket).remoteAddress ?? '');
    const dial = (target: Authority, context: { signal: AbortSignal }) => this.#dial(target, context);
    this.#http1 = new HttpFront({ authorize, dial, onTunnel: request => void this.#openTunnel(request) });
    this.#http2 = new Http2Front({
      limits: this.#limits,
      authorize,
      dial,
      onTunnel: (stream, upstream) => this.#relay(stream, upstream),
    });
    this.#server = this.#createServer();
  }

  get address(): Authority {
    const { address, port } = this.#server.address() as AddressInfo;
    return { host: address, port };
  }

  get pairing(): string {
    const { publicHost } = this.#options;
    const address = { host: this.#publicHost(), port: publicHost?.port ?? this.address.port };
    return formatPairing({ address, secret: this.#identity.secret, pin: this.#identity.pin });
  }

  async listen(): Promise<void> {
    const { listen: where, congestion } = this.#options;
    await listen(this.#server, { ...where, ...(congestion === undefined ? {} : { congestion }) });
    this.#logger.info({ address: formatAuthority(this.address) }, 'relay listens');
  }

  status(): RelaySnapshot {
    let bytesFromClients = this.#bytesFromClients;
    let bytesFromTargets = this.#bytesFromTargets;
    for (const tunnel of this.#tunnels) {
      bytesFromClients += tunnel.bytesFromClient;
      bytesFromTargets += tunnel.bytesFromUpstream;
    }
    return {
      connections: this.#quota.total,
      multipathConnections: [...this.#sockets].filter(socket => info(socket).multipath).length,
      tunnels: this.#tunnels.size,
      bytesFromClients,
      bytesFromTargets,
    };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#http2.drain();
    const deadline = new Promise(resolve => setTimeout(resolve, this.#limits.closeGraceMs).unref());
    await Promise.race([Promise.all([...this.#tunnels].map(({ done }) => done)), deadline]);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #publicHost(): string {
    return this.#options.publicHost?.host ?? guessPublicHost(this.#options.listen.host);
  }

  #createServer(): Server {
    const { key, cert } = this.#identity;
    const server = createTlsServer({
      key,
      cert,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: this.#limits.handshakeMs,
      allowHalfOpen: true,
      noDelay: true,
    });
    server.on('connection', (socket: Socket) => this.#admit(socket));
    server.on('secureConnection', socket => this.#serve(socket));
    server.on('tlsClientError', (error, socket) => {
      this.#logger.debug({ code: errorCode(error), error: errorMessage(error) }, 'TLS handshake failed');
      socket.destroy();
    });
    return server;
  }

  #admit(socket: Socket): void {
    socket.on('error', () => {});
    if (!this.#quota.admit(socket)) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #serve(socket: TLSSocket): void {
    socket.on('error', error => this.#logger.debug({ code: errorCode(error) }, 'client connection failed'));
    if (socket.alpnProtocol === 'h2') this.#http2.serve(socket);
    else this.#http1.serve(socket);
  }

  async #dial(target: Authority, context: { signal: AbortSignal }): Promise<Socket> {
    const where = this.#options.logHosts ? { target: formatAuthority(target) } : {};
    try {
      const socket = await this.#dialer.dial(target, context);
      this.#logger.debug(where, 'target dialled');
      return socket;
    } catch (error) {
      this.#logger.debug({ ...where, code: errorCode(error) }, 'target not dialled');
      throw error;
    }
  }

  async #openTunnel({ socket, target }: TunnelRequest): Promise<void> {
    const closed = new AbortController();
    const onClose = () => closed.abort();
    const swallow = () => {};
    socket.once('close', onClose);
    socket.on('error', swallow);
    try {
      const upstream = await this.#dial(target, { signal: closed.signal });
      if (socket.destroyed) {
        upstream.destroy();
        return;
      }
      acceptTunnel(socket);
      this.#relay(socket, upstream);
    } catch (error) {
      refuseTunnel(socket, error);
    } finally {
      socket.off('close', onClose);
      socket.off('error', swallow);
    }
  }

  #relay(client: Duplex, upstream: Duplex): void {
    const tunnel = relayBytes(client, upstream);
    this.#tunnels.add(tunnel);
    void tunnel.done.then(({ bytesFromClient, bytesFromUpstream }) => {
      this.#tunnels.delete(tunnel);
      this.#bytesFromClients += bytesFromClient;
      this.#bytesFromTargets += bytesFromUpstream;
    });
  }
}
