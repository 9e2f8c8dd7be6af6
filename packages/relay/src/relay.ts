import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  type Authority,
  aheadHeader,
  CountedLog,
  errorCode,
  errorMessage,
  formatAuthority,
  formatPairing,
  type HeaderField,
  headerValue,
  type Logger,
  reachHeader,
  relayUser,
  silentLogger,
  systemClock,
} from '@manypath/core';
import {
  acceptTunnel,
  type ForwardLimits,
  forwardLimits,
  HttpFront,
  ProxyRefusal,
  refuseTunnel,
  relayBytes,
  type TunnelRequest,
} from '@manypath/forward';
import { reasonText } from '@manypath/mptcp';
import { sessionProtocol } from '@manypath/transport';
import { aheadOf } from './ahead.ts';
import { type Asker, Authentication } from './authentication.ts';
import { type DialContext, RelayBusyError, TargetDialer } from './dial.ts';
import { Http2Front } from './http2-front.ts';
import { loadIdentity, type RelayIdentity } from './identity.ts';
import { type RelayLimits, relayLimits } from './limits.ts';
import { writePairing } from './pairing-file.ts';
import { guessPublicHost } from './public-host.ts';
import type { Relay, RelayOptions, RelaySnapshot } from './relay-options.ts';
import { CertificateFromFiles, SelfMadeCertificate, type ServerCertificate } from './server-certificate.ts';
import { SessionFront } from './session-front.ts';
import { TargetGuard } from './target-guard.ts';
import { TlsListener } from './tls-listener.ts';
import { Traffic } from './traffic.ts';
import { withinDescriptors } from './within-descriptors.ts';

/** The relay is about to stop (503 `MANYPATH_RELAY_CLOSING`). */
export class RelayClosingError extends ProxyRefusal {
  constructor() {
    super(503, 'MANYPATH_RELAY_CLOSING', 'the relay is about to stop', { headers: [['Retry-After', '5']] });
  }
}

/** How long clients get to take note of the end, in milliseconds. */
const farewellMs = 50;

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
  readonly #forwardLimits: ForwardLimits;
  readonly #logger: Logger;
  readonly #identity: RelayIdentity;
  readonly #certificate: ServerCertificate;
  readonly #listener: TlsListener;
  readonly #dialer: TargetDialer;
  readonly #authentication: Authentication;
  readonly #wrongSecrets: CountedLog;
  readonly #http1: HttpFront;
  readonly #http2: Http2Front;
  readonly #sessions: SessionFront;
  readonly #traffic = new Traffic();
  #address: Authority = { host: '', port: 0 };
  #undo: (() => void)[] = [];
  #closed: Promise<void> | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#limits = withinDescriptors({ ...relayLimits, ...options.limits });
    this.#forwardLimits = { ...forwardLimits, ...options.forwardLimits };
    this.#logger = options.logger ?? silentLogger;
    const folder = join(options.stateDir, 'relay');
    this.#identity = loadIdentity(folder);
    this.#certificate =
      options.certificate === undefined
        ? new SelfMadeCertificate(folder, this.#identity, [this.#publicHost()])
        : new CertificateFromFiles(options.certificate);
    this.#wrongSecrets = new CountedLog({
      logger: this.#logger,
      message: 'a client had a wrong secret',
      everyMs: this.#limits.tellAgainMs,
      fields: ['address', 'addresses'],
      most: this.#limits.rememberedAddresses,
    });
    this.#authentication = new Authentication(this.#identity.secret, this.#limits, systemClock, peer =>
      this.#wrongSecrets.note(peer),
    );
    const { allowPrivate = false, refusedPorts = [25] } = options;
    this.#dialer = new TargetDialer({
      guard: new TargetGuard({ allowPrivate, refusedPorts }),
      timeoutMs: this.#limits.dialMs,
      lookup: options.lookup,
    });
    this.#http1 = new HttpFront({
      authorize: (headers, client) => this.#authorize(headers, client),
      dial: (target, context) => this.#dialForwarding(target, context),
      onTunnel: request => void this.#openTunnel(request),
      limits: this.#forwardLimits,
    });
    this.#http2 = new Http2Front({
      limits: this.#limits,
      forwardLimits: this.#forwardLimits,
      authorize: (headers, client) => this.#authorize(headers, client),
      dial: (target, context) => this.#dialForwarding(target, context),
      dialTunnel: (target, context) => this.#dial(target, context),
      onTunnel: (stream, upstream) => this.#relay(stream, upstream),
    });
    this.#sessions = new SessionFront({
      limits: this.#limits,
      clock: systemClock,
      logger: this.#logger,
      secretOf: user => (user === relayUser ? this.#identity.secret : undefined),
      admit: (isRight, socket) => this.#admitted(socket, asker => this.#authentication.note(isRight, asker)),
      dial: (target, context) => this.#dial(target, context),
      traffic: this.#traffic,
    });
    this.#listener = new TlsListener({
      certificate: this.#certificate,
      limits: this.#limits,
      logger: this.#logger,
      protocols: [...(options.sessions === false ? [] : [sessionProtocol]), 'h2', 'http/1.1'],
      serve: socket => this.#frontFor(socket).serve(socket),
      // What is connected stays plain TCP: clients are asked to open what comes next on new connections.
      onMultipath: () => {
        this.#http2.sendAway();
        this.#sessions.sendAway();
      },
    });
  }

  get address(): Authority {
    return this.#address;
  }

  get withoutMultipath(): string | null {
    const reason = this.#listener.plainReason;
    return reason === 'peer-refused' ? null : reasonText(reason);
  }

  get pairing(): string {
    const port = this.#options.publicHost?.port || this.#address.port;
    const address = { host: this.#publicHost(), port };
    return formatPairing({ address, secret: this.#identity.secret, pin: this.#certificate.pin });
  }

  async listen(): Promise<void> {
    const { listen: where, congestion, signal } = this.#options;
    this.#address = await this.#listener.listen(where, congestion);
    const onAbort = () => void this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#undo.push(() => signal?.removeEventListener('abort', onAbort));
    this.#keepPairing();
    this.#logger.info({ address: formatAuthority(this.#address) }, 'relay listens');
  }

  status(): RelaySnapshot {
    const { connections, strangers, multipathConnections, peers } = this.#listener;
    return {
      connections,
      strangers,
      clients: peers,
      multipathConnections,
      plainConnections: connections - multipathConnections,
      sessions: this.#http2.sessions + this.#sessions.sessions,
      carriers: this.#sessions.carriers,
      sessionsWaiting: this.#sessions.sessionsWaiting,
      waitingBytes: this.#sessions.waitingBytes,
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
    const { tunnels } = this.#traffic;
    this.#logger.info(
      { tunnels, sessions: this.#sessions.sessions },
      tunnels === 0 ? 'relay closes' : `relay closes when its tunnels have ended, within ${graceMs / 1000} s`,
    );
    this.#wrongSecrets.close();
    const closed = this.#listener.close();
    this.#http2.drain();
    this.#sessions.drain();
    await orAfter(this.#traffic.ended(), graceMs);
    this.#traffic.abort(new RelayClosingError());
    this.#http2.hangUp();
    this.#sessions.close(new RelayClosingError());
    await orAfter(closed, farewellMs);
    this.#http1.close();
    this.#listener.destroyAll();
    await closed;
    for (const undo of this.#undo.splice(0)) undo();
  }

  #publicHost(): string {
    return this.#options.publicHost?.host ?? guessPublicHost(this.#options.listen.host);
  }

  /** Checks a request that came on a connection. @throws what the answer is to be */
  #authorize(headers: readonly HeaderField[], socket: Duplex): Promise<void> {
    return this.#admitted(socket, asker => this.#authentication.check(headers, asker));
  }

  #frontFor({ alpnProtocol }: TLSSocket): { serve(socket: TLSSocket): void } {
    if (alpnProtocol === sessionProtocol) return this.#sessions;
    return alpnProtocol === 'h2' ? this.#http2 : this.#http1;
  }

  async #admitted(socket: Duplex, check: (asker: Asker) => Promise<void>): Promise<void> {
    const connection = this.#listener.connectionOf(socket);
    if (connection === undefined) throw new RelayClosingError();
    const { remoteAddress } = connection.socket;
    try {
      await check({ remoteAddress, hangUp: () => connection.reset() });
    } catch (error) {
      connection.refused();
      throw error;
    }
    if (!this.#listener.authenticated(connection)) {
      throw new RelayBusyError('as many clients are connected as may be');
    }
  }

  async #dial(target: Authority, context: DialContext): Promise<Socket> {
    const where = this.#options.logHosts ? { target: formatAuthority(target) } : {};
    try {
      if (this.#closed !== undefined) throw new RelayClosingError();
      const { targets } = this.#limits;
      if (this.#traffic.targets >= targets) throw new RelayBusyError(`${targets} are open`);
      const socket = await this.#traffic.dialling(() => this.#dialer.dial(target, context));
      this.#tellOfTarget(where, 'target dialled');
      return socket;
    } catch (error) {
      this.#tellOfTarget({ ...where, code: errorCode(error) }, 'target not dialled');
      throw error;
    }
  }

  /** So that it can be asked for later; it works without. */
  #keepPairing(): void {
    try {
      writePairing(this.#options.stateDir, this.pairing);
    } catch (error) {
      const why = { code: errorCode(error), error: errorMessage(error) };
      this.#logger.warn(why, 'the pairing cannot be written down for `manypath relay pairing`');
    }
  }

  /** Of interest only to those who asked for hosts. */
  #tellOfTarget(fields: object, message: string): void {
    if (this.#options.logHosts) this.#logger.info(fields, message);
    else this.#logger.debug(fields, message);
  }

  async #dialForwarding(target: Authority, context: { signal: AbortSignal }): Promise<Socket> {
    const socket = await this.#dial(target, context);
    this.#traffic.addForwarding(socket);
    return socket;
  }

  /** Joins the two ends of a tunnel that the client has been told is open. */
  #relay(client: Duplex, upstream: Socket): void {
    try {
      const tunnel = relayBytes(client, upstream, { limits: this.#forwardLimits });
      void tunnel.done.then(this.#traffic.addTunnel(tunnel));
    } catch (error) {
      // Taking a socket over needs a descriptor, and there may be none left.
      this.#logger.warn({ code: errorCode(error), error: errorMessage(error) }, 'tunnel not joined');
      upstream.destroy();
      client.destroy(new RelayBusyError('its host has no descriptor left', error));
    }
  }

  async #openTunnel({ socket, target, head }: TunnelRequest): Promise<void> {
    const closed = new AbortController();
    const onClose = () => closed.abort();
    const swallow = () => {};
    socket.once('close', onClose);
    socket.on('error', swallow);
    try {
      const upstream = await this.#dial(target, {
        signal: closed.signal,
        publicOnly: headerValue(head.headers, reachHeader) === 'public',
        aheadBytes: aheadOf(headerValue(head.headers, aheadHeader)),
      });
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
