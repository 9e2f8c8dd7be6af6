import { createRequire } from 'node:module';
import type { Server, Socket } from 'node:net';
import {
  type Authority,
  type Clock,
  type ControlHello,
  controlProtocol,
  defaultListen,
  type FailureEntry,
  formatAuthority,
  type LogEntry,
  type Overview,
  type Pairing,
  parsePairing,
  type StatusDocument,
  silentLogger,
  systemClock,
  type TrafficHistory,
} from '@manypath/core';
import { createServer, originalDestination } from '@manypath/mptcp';
import type { Connection } from './connection.ts';
import { ControlServer } from './control/control-server.ts';
import { GatewayReport } from './control/gateway-report.ts';
import { unhoused } from './control/housekeeping.ts';
import { StandingControl } from './control/standing-control.ts';
import type { Dialect } from './dial-request.ts';
import { Dialer } from './dialer.ts';
import { GatewayClosedError, GatewayListenError, GatewayRunningError } from './errors.ts';
import { Front } from './front.ts';
import type { GatewayOptions, Routing } from './gateway-options.ts';
import { KernelRoutes } from './kernel-routes.ts';
import { RelayLinks } from './lanes/relay-links.ts';
import { type GatewayLimits, gatewayLimits } from './limits.ts';
import { LocalGuard } from './local-guard.ts';
import { LocalNames } from './local-names.ts';
import { LocalNetworks } from './local-networks.ts';
import { OriginMemory } from './origins/origin-memory.ts';
import { removeWrittenOrigins } from './origins/written-origins.ts';
import { type GuardMode, OwnerGuard } from './owner-guard.ts';
import { openForRequests } from './plain-request.ts';
import { Registry } from './registry.ts';
import { Rules } from './rules.ts';
import { StraightDialer } from './straight-dialer.ts';
import type { StreamProgram } from './streams/program-leg.ts';
import { StreamServer, streamsPath, streamsProtocol } from './streams/stream-server.ts';
import { Translators } from './translators.ts';
import { serveTunnel } from './tunnel.ts';

/** Every room of one release has the same version. */
const gatewayVersion: string = createRequire(import.meta.url)('../package.json').version;

/**
 * The local gateway: one port that speaks HTTP CONNECT, plain HTTP proxying and SOCKS5, and dials out with MPTCP,
 * through the relay when there is one.
 */
export class Gateway {
  /** Where the proxy listens. */
  readonly proxy: Authority;
  /** Aborted when somebody asked over the control socket that the gateway ends. */
  readonly stopRequested: AbortSignal;
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #clock: Clock;
  readonly #registry: Registry;
  readonly #origins: OriginMemory;
  readonly #links: RelayLinks;
  readonly #report: GatewayReport;
  #dialer: Dialer;
  #programs: Readonly<Record<string, StreamProgram>>;
  readonly #straight: StraightDialer;
  readonly #front: Front;
  readonly #straightFront: Front;
  readonly #streams: StreamServer;
  readonly #guard: OwnerGuard;
  readonly #routes: KernelRoutes;
  readonly #localNetworks: LocalNetworks;
  readonly #localNames: LocalNames;
  readonly #translators: Translators;
  readonly #localGuard: LocalGuard;
  readonly #servers = new Set<Server>();
  readonly #undo: (() => void)[] = [];
  readonly #stop = new AbortController();
  #control: StandingControl | undefined;
  #straightProxy: Authority | undefined;
  #browserReaches: string | undefined;
  #closing: Promise<void> | undefined;
  #failover: NonNullable<Routing['failover']> = 'refuse';

  /**
   * Starts a gateway. It listens when this is fulfilled; the relay is being connected to.
   *
   * @throws GatewayListenError `MANYPATH_GATEWAY_LISTEN_FAILED`
   * @throws GatewayRunningError `MANYPATH_GATEWAY_RUNNING`
   * @throws ControlSocketError `MANYPATH_CONTROL_SOCKET`
   * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`
   */
  static async start(options: GatewayOptions): Promise<Gateway> {
    const pairing = pairingOf(options);
    const server = await listen(options.listen ?? defaultListen).catch(async error => {
      // Who starts a second gateway by mistake mostly finds the port taken: by the first one.
      throw (await ControlServer.isRunning(options.stateDir))
        ? new GatewayRunningError(options.stateDir)
        : error;
    });
    const gateway = new Gateway(options, pairing, server);
    try {
      if (options.protectLocal) await gateway.#straight.noteHosts();
      if (options.straightPort) await gateway.#openStraightPort();
      await gateway.#openControl();
      return gateway;
    } catch (error) {
      await gateway.close();
      throw error;
    }
  }

  private constructor(options: GatewayOptions, pairing: Pairing | undefined, server: Server) {
    const { clock = systemClock, logger = silentLogger } = options;
    this.#options = options;
    this.#clock = clock;
    this.#limits = { ...gatewayLimits, ...options.limits };
    this.stopRequested = this.#stop.signal;
    this.#registry = new Registry(clock, this.#limits.failuresKept);
    this.#guard = new OwnerGuard(options.guard ?? 'same-user', logger);
    this.#routes = new KernelRoutes({ logger, most: this.#limits.routesKept });
    this.#localNetworks = new LocalNetworks(clock, this.#routes.lookup);
    removeWrittenOrigins(options.stateDir);
    const origins = new OriginMemory({ clock, limits: this.#limits });
    this.#straight = new StraightDialer({
      paths: options.paths,
      lookup: options.lookup,
      origins,
      asksOrigins: options.asksOrigins ?? true,
      isLocal: address => this.#localNetworks.includes(address),
      steward: options.steward,
      routes: this.#routes,
      limits: this.#limits,
      clock,
    });
    this.#origins = origins;
    this.#localNames = new LocalNames(options.localNames);
    this.#translators = new Translators(this.#straight.lookup, clock);
    this.#localGuard = new LocalGuard({
      protectLocal: options.protectLocal ?? false,
      localNames: this.#localNames,
      localNetworks: this.#localNetworks,
      isInHosts: name => this.#straight.isInHosts(name),
      isNewInHosts: name => this.#straight.isNewInHosts(name),
      translators: () => this.#translators.prefixes(),
    });
    this.#links = new RelayLinks({
      limits: this.#limits,
      clock,
      logger,
      lookup: this.#straight.lookup,
      forgetName: host => this.#straight.forgetName(host),
      steward: options.steward,
      onChange: () => this.#report.note(),
      onResumed: (connections, stallMs) => this.#report.noteResumed(connections, stallMs),
    });
    this.#report = new GatewayReport({
      paths: options.paths,
      links: this.#links,
      registry: this.#registry,
      failover: () => this.#failover,
      limits: this.#limits,
      clock,
      logger,
    });
    this.#links.use(pairing);
    this.#dialer = this.#dialerFor(options);
    this.#programs = options.programs ?? {};
    this.#streams = new StreamServer({
      limits: this.#limits,
      dialer: () => this.#dialer,
      note: target => this.#begin(target, 'stream'),
      program: name => (Object.hasOwn(this.#programs, name) ? this.#programs[name] : undefined),
    });
    this.#front = new Front({
      limits: this.#limits,
      clock,
      onTunnel: wish => serveTunnel(wish, this.#dialer, this.#begin(wish.target, wish.dialect)),
      dial: (target, { signal }) => openForRequests(signal, this.#dialer, this.#begin(target, 'forward')),
      onOwn: (socket, head) => this.#streams.take(socket, head),
    });
    const plain = new Dialer({
      relay: () => undefined,
      failover: 'refuse',
      guard: this.#localGuard,
      localNames: this.#localNames,
      localNetworks: this.#localNetworks,
      rules: new Rules([{ host: '*', route: 'tcp' }]),
      origins: this.#origins,
      straight: this.#straight,
    });
    this.#straightFront = new Front({
      limits: this.#limits,
      clock,
      onTunnel: wish => serveTunnel(wish, plain, this.#begin(wish.target, wish.dialect)),
      dial: (target, { signal }) => openForRequests(signal, plain, this.#begin(target, 'forward')),
    });
    this.#follow(options);
    this.proxy = addressOf(server);
    this.#take(server);
    this.#front.listen(server, socket => this.#guard.admits(socket));
  }

  /** Whether an accepted connection comes from the user who started the gateway, or root, as far as that is checked. */
  admits(accepted: Socket): boolean {
    return this.#guard.admits(accepted);
  }

  /** Whether the owners of connections are checked. */
  get guard(): GuardMode {
    return this.#guard.mode;
  }

  /** Paths, connections, the relay and sums, right now. */
  /** Waits for the relay, if there is one: until it is known whether it can be reached, or for `limits.relayFirstMs`. */
  async relaySettled(): Promise<void> {
    await this.#links.current?.settled(this.#limits.relayFirstMs);
  }

  status(): StatusDocument {
    return this.#report.status();
  }

  /** What each path carried in the last two minutes. */
  history(): TrafficHistory {
    return this.#report.history();
  }

  /** Connections that did not come about, oldest first. */
  failures(): readonly FailureEntry[] {
    return this.#report.failures();
  }

  /** What happened to paths, connections and the relay, newest last. */
  events(): readonly LogEntry[] {
    return this.#report.events();
  }

  /**
   * Takes other rules, or another relay, for connections from now on. Those that are open stay as they are; lanes to a relay that
   * is not used any more close when they have nothing to carry.
   *
   * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`, and all stays as it was
   */
  route(routing: Routing): void {
    this.#links.use(pairingOf(routing));
    this.#dialer = this.#dialerFor(routing);
    this.#programs = routing.programs ?? {};
  }

  /** Who this is, for clients of the control socket that another release may have brought. */
  hello(): ControlHello {
    const seen = ({ host, port }: Authority): Authority => ({ host: this.#browserReaches ?? host, port });
    return {
      protocol: controlProtocol,
      version: gatewayVersion,
      proxy: seen(this.proxy),
      straightProxy: this.#straightProxy === undefined ? null : seen(this.#straightProxy),
      streams: { ...this.proxy, path: streamsPath, protocol: streamsProtocol, token: this.#streams.token },
    };
  }

  /** What a toolbar shows, right now. */
  overview(): Overview {
    return this.#report.overview();
  }

  /**
   * Serves another proxy port as well: one that listens in a network namespace of its own, where only the browser is
   * that it was made for. Whose its connections are is not asked: the kernel would not tell from here.
   */
  serve(server: Server): void {
    this.#take(server);
    this.#front.listen(server, () => true);
  }

  /**
   * Where the proxy listens that behaves as if there were no Manypath.
   *
   * @throws GatewayListenError `MANYPATH_GATEWAY_LISTEN_FAILED`, it was not asked for
   */
  get straightProxy(): Authority {
    if (this.#straightProxy === undefined) throw new GatewayListenError('the straight port', undefined);
    return this.#straightProxy;
  }

  get stateDir(): string {
    return this.#options.stateDir;
  }

  /** Serves another port as {@link straightProxy}, as {@link serve} does for the proxy. */
  serveStraight(server: Server): void {
    this.#take(server);
    this.#straightFront.listen(server, () => true);
  }

  /** The browser that this gateway is for reaches both proxies by this address; `hello` tells it. */
  reachedBy(host: string): void {
    this.#browserReaches = host;
  }

  /**
   * Serves connections that nftables redirected to `server`: dials what they were meant for from here, straight when it is
   * of this machine or its link. A loopback address that refuses is tried in its other family. What was meant for this
   * gateway has arrived.
   */
  serveRedirected(server: Server): void {
    this.#take(server);
    this.#front.listenRedirected(server, {
      targetOf: socket => {
        const meant = originalDestination(socket);
        return meant && { host: meant.address, port: meant.port };
      },
      isOwn: ({ host, port }) => host === this.proxy.host && port === this.proxy.port,
    });
  }

  /** Tells that links, addresses or routes changed: lanes are checked at once, and what was learned is forgotten. */
  networkChanged(): void {
    this.#localNetworks.forget();
    this.#translators.forget();
    this.#straight.networkChanged();
    this.#links.networkChanged();
  }

  /** Stops listening and ends all connections. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const server of this.#servers) server.close();
    for (const undo of this.#undo.splice(0)) undo();
    const control = this.#control?.close();
    this.#registry.abortAll(new GatewayClosedError());
    this.#streams.close();
    this.#front.close();
    this.#straightFront.close();
    await Promise.race([this.#registry.emptied(), this.#pause(this.#limits.closeMs)]);
    this.#report.close();
    this.#links.close();
    this.#straight.close();
    this.#guard.close();
    this.#routes.close();
    await control;
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(milliseconds, resolve));
  }

  async #openStraightPort(): Promise<void> {
    const server = await listen({ host: this.proxy.host, port: 0 });
    this.#straightProxy = addressOf(server);
    this.#take(server);
    this.#straightFront.listen(server, socket => this.#guard.admits(socket));
  }

  async #openControl(): Promise<void> {
    const { paths, housekeeping = unhoused } = this.#options;
    const methods = {
      answers: {
        hello: () => this.hello(),
        overview: () => this.#freshly(() => this.overview()),
        status: () => this.#freshly(() => this.status()),
        history: () => this.history(),
        events: () => this.events(),
        failures: () => this.failures(),
        records: () => paths?.records?.() ?? [],
        settings: () => housekeeping.settings(),
        configure: (params: unknown) => housekeeping.configure(params),
        doctor: () => housekeeping.doctor(),
        stop: () => void setImmediate(() => this.#stop.abort()),
      },
      subscribe: (listener: (event: object) => void) => this.#registry.subscribe(listener),
    };
    const { stateDir, logger = silentLogger } = this.#options;
    const [limits, clock] = [this.#limits, this.#clock];
    this.#control = await StandingControl.open({ stateDir, methods, limits, logger, clock });
  }

  /** What is told to people is true when they are told, also of paths that carry nothing. */
  async #freshly<T>(tell: () => T): Promise<T> {
    await this.#options.paths?.freshen?.();
    return tell();
  }

  #dialerFor({ rules, bypass, failover = 'refuse' }: Routing): Dialer {
    this.#failover = failover;
    return new Dialer({
      relay: () => this.#links.current,
      relayForStreams: () => this.#links.forStreams(),
      failover,
      guard: this.#localGuard,
      localNames: this.#localNames,
      localNetworks: this.#localNetworks,
      rules: new Rules(rules, bypass),
      origins: this.#origins,
      straight: this.#straight,
    });
  }

  /** Takes in what happens to paths, for connections and for the log. */
  #follow({ paths, steward }: GatewayOptions): void {
    const undo = [
      paths?.onChange?.(change => {
        if (change === 'links') this.networkChanged();
        if (change === 'health') this.#healthChanged();
        this.#report.note();
      }),
      steward?.onFailover((path, stallMs) => this.#report.noteFailover(path, stallMs)),
    ];
    this.#undo.push(...undo.filter(one => one !== undefined));
    this.#report.note();
  }

  /** Paths are thought of otherwise than before: what was learned of them is put right, and lanes see to themselves. */
  #healthChanged(): void {
    this.#straight.healthChanged();
    this.#links.healthChanged();
  }

  /** Notes a connection that a client asks for. */
  #begin(target: Authority, dialect: Dialect): Connection {
    const connection = this.#registry.add(target, dialect);
    this.#report.noteTraffic();
    return connection;
  }

  #take(server: Server): void {
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    server.on('error', () => {});
  }
}

/** @throws PairingInvalidError `MANYPATH_PAIRING_INVALID` */
function pairingOf({ relay }: Routing): Pairing | undefined {
  return typeof relay === 'string' ? parsePairing(relay) : relay;
}

/** Plain TCP: clients are on this machine, and MPTCP over loopback only costs. */
async function listen({ host, port }: Authority): Promise<Server> {
  try {
    return await createServer({ host, port, mptcp: false, allowHalfOpen: true });
  } catch (error) {
    throw new GatewayListenError(formatAuthority({ host, port }), error);
  }
}

function addressOf(server: Server): Authority {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new GatewayListenError('the proxy port', undefined);
  return { host: address.address, port: address.port };
}
