import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import {
  type Authority,
  errorCode,
  errorMessage,
  formatAuthority,
  formatPairing,
  ManypathError,
} from '@manypath/core';
import {
  acceptTunnel,
  HttpFront,
  ProxyRefusal,
  refuseTunnel,
  relayBytes,
  type TunnelRequest,
} from '@manypath/forward';
import { info, type Lookup, listen, setSocketOption } from '@manypath/mptcp';
import { Authentication } from './authentication.ts';
import { ConnectionQuota } from './connection-quota.ts';
import { RelayBusyError, TargetDialer } from './dial.ts';
import { Http2Front } from './http2-front.ts';
import { loadIdentity, type RelayIdentity } from './identity.ts';
import { type RelayLimits, relayLimits } from './limits.ts';
import { guessPublicHost } from './public-host.ts';
import {
  type CertificateFiles,
  CertificateFromFiles,
  SelfMadeCertificate,
  type ServerCertificate,
} from './server-certificate.ts';
import { raiseSubflowLimit } from './subflow-limit.ts';
import { TargetGuard } from './target-guard.ts';
import { Traffic } from './traffic.ts';

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
  /** Its folder `relay` keeps secret, key and certificate; only its owner may read that. */
  stateDir: string;
  /** How clients reach this relay, for the pairing URL; port 0 means the one that is listened on. Default: a guess. */
  publicHost?: Authority;
  /** Whether loopback, private, link-local and metadata addresses are dialled too. Default false. */
  allowPrivate?: boolean;
  /** Ports of targets that are refused. Default: 25, which open proxies are abused for first. */
  refusedPorts?: readonly number[];
  /** A certificate from an authority, looked at for changes; then pairings carry no pin. */
  certificate?: CertificateFiles;
  /** Congestion control towards clients, so that of downloads; default: the system's. */
  congestion?: string;
  /** Whether hosts that clients ask for are logged. Default false. */
  logHosts?: boolean;
  /** Resolves the names of targets. Default: the system's resolver. */
  lookup?: Lookup;
  /** Whether the kernel's limit of subflows is raised while the relay runs, where that is allowed. Default true. */
  raiseSubflowLimit?: boolean;
  logger?: RelayLogger;
  limits?: Partial<RelayLimits>;
  /** Closes the relay. */
  signal?: AbortSignal;
}

/** A running relay. */
export interface Relay {
  /** Where it listens. */
  readonly address: Authority;
  /** The URL that pairs a gateway with this relay. */
  readonly pairing: string;
  status(): RelaySnapshot;
  /**
   * Stops listening, lets tunnels end by themselves, then ends them.
   *
   * @param graceMs How long they may take, in milliseconds; default `closeGraceMs` of the limits.
   */
  close(graceMs?: number): Promise<void>;
}

/** What a relay is doing. */
export interface RelaySnapshot {
  /** Connections of clients, and from how many addresses (IPv6: /64 networks) they come. */
  readonly connections: number;
  readonly clients: number;
  /** How many of the connections are MPTCP, and how many TCP. */
  readonly multipathConnections: number;
  readonly plainConnections: number;
  /** How many of them speak HTTP/2. */
  readonly sessions: number;
  /** Tunnels that are open, and those opened so far. */
  readonly tunnels: number;
  readonly tunnelsOpened: number;
  /** Requests without the right secret so far. */
  readonly notPaired: number;
  /** Bytes of tunnels and forwarded requests so far, as they are between relay and target. */
  readonly bytesFromClients: number;
  readonly bytesFromTargets: number;
}

/** The relay is about to stop (503 `MANYPATH_RELAY_CLOSING`). */
export class RelayClosingError extends ProxyRefusal {
  constructor() {
    super(503, 'MANYPATH_RELAY_CLOSING', 'the relay is about to stop', { headers: [['Retry-After', '5']] });
  }
}

/** How long clients get to take note of the end, in milliseconds. */
const farewellMs = 50;

const silent: RelayLogger = { debug() {}, info() {}, warn() {} };

/**
 * Starts the relay: a standard forward proxy over TLS 1.3 on an MPTCP listener.
 *
 * HTTP/1.1 and HTTP/2 `CONNECT`, and plain `http://` requests, with `Proxy-Authorization: Basic`.
 *
 * @throws RelayIdentityError `MANYPATH_RELAY_IDENTITY`
 * @throws RelayCertificateError `MANYPATH_RELAY_CERTIFICATE`
 * @throws BindError `MPTCP_BIND_FAILED`
 * @throws OptionError `MPTCP_OPTION_FAILED`, no such congestion control
 * @throws the reason of `signal`
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  options.signal?.throwIfAborted();
  const relay = new RunningRelay(options);
  await relay.listen();
  return relay;
}

class RunningRelay implements Relay {
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #logger: RelayLogger;
  readonly #folder: string;
  readonly #identity: RelayIdentity;
  readonly #certificate: ServerCertificate;
  readonly #server: ReturnType<typeof createTlsServer>;
  readonly #dialer: TargetDialer;
  readonly #quota: ConnectionQuota;
  readonly #authentication: Authentication;
  readonly #http1: HttpFront;
  readonly #http2: Http2Front;
  readonly #traffic = new Traffic();
  readonly #sockets = new Set<Socket>();
  #cert = '';
  #address: Authority = { host: '', port: 0 };
  #undo: (() => void)[] = [];
  #closed: Promise<void> | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#limits = { ...relayLimits, ...options.limits };
    this.#logger = options.logger ?? silent;
    this.#folder = join(options.stateDir, 'relay');
    this.#identity = loadIdentity(this.#folder);
    this.#certificate =
      options.certificate === undefined
        ? new SelfMadeCertificate(this.#folder, this.#identity, [this.#publicHost()])
        : new CertificateFromFiles(options.certificate);
    this.#quota = new ConnectionQuota(this.#limits);
    this.#authentication = new Authentication(this.#identity.secret, this.#limits);
    const { allowPrivate = false, refusedPorts = [25] } = options;
    this.#dialer = new TargetDialer({
      guard: new TargetGuard({ allowPrivate, refusedPorts }),
      timeoutMs: this.#limits.dialMs,
      lookup: options.lookup,
    });
    this.#http1 = new HttpFront({
      authorize: (headers, client) => {
        const { remoteAddress } = client as Socket;
        return this.#authentication.check(headers, { remoteAddress, hangUp: () => client.destroy() });
      },
      dial: (target, context) => this.#dialForwarding(target, context),
      onTunnel: request => void this.#openTunnel(request),
    });
    this.#http2 = new Http2Front({
      limits: this.#limits,
      authorize: (headers, asker) => this.#authentication.check(headers, asker),
      dial: (target, context) => this.#dialForwarding(target, context),
      dialTunnel: (target, context) => this.#dial(target, context),
      onTunnel: (stream, upstream) => this.#traffic.addTunnel(relayBytes(stream, upstream)),
    });
    this.#server = this.#createServer();
  }

  get address(): Authority {
    return this.#address;
  }

  get pairing(): string {
    const port = this.#options.publicHost?.port || this.#address.port;
    const address = { host: this.#publicHost(), port };
    return formatPairing({ address, secret: this.#identity.secret, pin: this.#certificate.pin });
  }

  async listen(): Promise<void> {
    const { listen: where, congestion, signal } = this.#options;
    await listen(this.#server, { ...where, ...(congestion === undefined ? {} : { congestion }) });
    const { address, port } = this.#server.address() as AddressInfo;
    this.#address = { host: address, port };
    this.#undo.push(this.#certificate.watch(() => this.#renewCertificate(), this.#limits.certificateCheckMs));
    if (this.#options.raiseSubflowLimit !== false) this.#raiseSubflowLimit();
    const onAbort = () => void this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#undo.push(() => signal?.removeEventListener('abort', onAbort));
    this.#logger.info({ address: formatAuthority(this.#address) }, 'relay listens');
  }

  status(): RelaySnapshot {
    const multipathConnections = [...this.#sockets].filter(socket => info(socket).multipath).length;
    return {
      connections: this.#quota.total,
      clients: this.#quota.peers,
      multipathConnections,
      plainConnections: this.#sockets.size - multipathConnections,
      sessions: this.#http2.sessions,
      tunnels: this.#traffic.tunnels,
      tunnelsOpened: this.#traffic.opened,
      notPaired: this.#authentication.refused,
      bytesFromClients: this.#traffic.bytesFromClients,
      bytesFromTargets: this.#traffic.bytesFromTargets,
    };
  }

  close(graceMs: number = this.#limits.closeGraceMs): Promise<void> {
    this.#closed ??= this.#close(graceMs);
    return this.#closed;
  }

  async #close(graceMs: number): Promise<void> {
    this.#logger.info({ tunnels: this.#traffic.tunnels }, 'relay closes');
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#http2.drain();
    await orAfter(this.#traffic.ended(), graceMs);
    this.#traffic.abort(new RelayClosingError());
    this.#http2.hangUp();
    await orAfter(closed, farewellMs);
    this.#http1.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    for (const undo of this.#undo.splice(0)) this.#tryTo(undo);
  }

  #publicHost(): string {
    return this.#options.publicHost?.host ?? guessPublicHost(this.#options.listen.host);
  }

  #createServer(): ReturnType<typeof createTlsServer> {
    const pair = this.#certificate.load();
    this.#cert = pair.cert;
    const server = createTlsServer({
      ...pair,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: this.#limits.handshakeMs,
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: this.#limits.keepAliveMs,
    });
    server.on('connection', (socket: Socket) => this.#admit(socket));
    server.on('secureConnection', socket => this.#serve(socket));
    server.on('tlsClientError', (error, socket) => {
      this.#logger.debug({ code: errorCode(error), error: errorMessage(error) }, 'TLS handshake failed');
      socket.destroy();
    });
    return server;
  }

  /** Puts a new certificate to use for the connections that come; those that are there keep theirs. */
  #renewCertificate(): void {
    this.#tryTo(() => {
      const pair = this.#certificate.load();
      if (pair.cert === this.#cert) return;
      this.#cert = pair.cert;
      this.#server.setSecureContext({ ...pair, minVersion: 'TLSv1.3' });
      this.#logger.info({}, 'new certificate in use');
    });
  }

  #raiseSubflowLimit(): void {
    this.#tryTo(() => {
      const putBack = raiseSubflowLimit(this.#folder);
      if (putBack !== undefined) this.#undo.push(putBack);
    });
  }

  /** For what the relay does beside its work, and goes on without. */
  #tryTo(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#logger.warn({ code: errorCode(error), error: errorMessage(error) }, 'the relay goes on without');
    }
  }

  #admit(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#closed !== undefined || !this.#quota.admit(socket)) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #serve(socket: TLSSocket): void {
    keepQueueShort(socket, this.#limits.notSentBytes);
    socket.on('error', error => this.#logger.debug({ code: errorCode(error) }, 'client connection failed'));
    if (socket.alpnProtocol === 'h2') this.#http2.serve(socket);
    else this.#http1.serve(socket);
  }

  async #dial(target: Authority, context: { signal: AbortSignal }): Promise<Socket> {
    const where = this.#options.logHosts ? { target: formatAuthority(target) } : {};
    try {
      if (this.#closed !== undefined) throw new RelayClosingError();
      const { targets } = this.#limits;
      if (this.#traffic.targets >= targets) throw new RelayBusyError(`${targets} are open`);
      const socket = await this.#traffic.dialling(() => this.#dialer.dial(target, context));
      this.#logger.debug(where, 'target dialled');
      return socket;
    } catch (error) {
      this.#logger.debug({ ...where, code: errorCode(error) }, 'target not dialled');
      throw error;
    }
  }

  async #dialForwarding(target: Authority, context: { signal: AbortSignal }): Promise<Socket> {
    const socket = await this.#dial(target, context);
    this.#traffic.addForwarding(socket);
    return socket;
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
      this.#traffic.addTunnel(relayBytes(socket, upstream));
    } catch (error) {
      refuseTunnel(socket, error);
    } finally {
      socket.off('close', onClose);
      socket.off('error', swallow);
    }
  }
}

/** Waits for something, but not for longer than `milliseconds`. */
async function orAfter(event: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>(resolve => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([event, late]);
  clearTimeout(timer);
}

/** Where the kernel cannot, bytes wait longer, and all else works. */
function keepQueueShort(socket: TLSSocket, bytes: number): void {
  try {
    setSocketOption(socket, 'notSentLowWater', bytes);
  } catch (error) {
    if (!ManypathError.is(error)) throw error;
  }
}
