import { createRequire } from 'node:module';
import type { Server, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import {
  type Authority,
  type Carried,
  type Clock,
  type ControlHello,
  controlProtocol,
  defaultListen,
  type FailureEntry,
  formatAuthority,
  isHindrance,
  judgeMultipath,
  type LogEntry,
  type Logger,
  type MultipathReason,
  type MultipathUse,
  type Overview,
  type Pairing,
  type PathRecord,
  type PathStatus,
  parsePairing,
  type RelayStatus,
  type StatusDocument,
  silentLogger,
  systemClock,
  type TrafficHistory,
} from '@manypath/core';
import { createServer, type Lookup, originalDestination, RouteSocket } from '@manypath/mptcp';
import type { PathChange, PathSet, Steward } from '@manypath/paths';
import type { Connection, Dialect } from './connection.ts';
import { ControlServer } from './control/control-server.ts';
import { EventLog } from './control/event-log.ts';
import { type Housekeeping, unhoused } from './control/housekeeping.ts';
import { StandingControl } from './control/standing-control.ts';
import { TrafficRecorder } from './control/traffic-history.ts';
import { countBytes } from './counted-stream.ts';
import { Dialer } from './dialer.ts';
import { GatewayClosedError, GatewayListenError, GatewayRunningError, RelayAwayError } from './errors.ts';
import { Front, type TunnelWish } from './front.ts';
import { RelayLink, type RelayLinkOptions } from './lanes/relay-link.ts';
import { type GatewayLimits, gatewayLimits } from './limits.ts';
import { living, type PathNames } from './living-subflows.ts';
import { LocalGuard } from './local-guard.ts';
import { LocalNames } from './local-names.ts';
import { LocalNetworks, type RouteLookup } from './local-networks.ts';
import { kernelSupport, relayFacts } from './multipath-facts.ts';
import { OriginMemory } from './origins/origin-memory.ts';
import { removeWrittenOrigins } from './origins/written-origins.ts';
import { type GuardMode, OwnerGuard } from './owner-guard.ts';
import { Registry } from './registry.ts';
import { type Rule, Rules } from './rules.ts';
import { type PathKnowledge, StraightDialer } from './straight-dialer.ts';
import type { StreamProgram } from './streams/program-leg.ts';
import { StreamServer, streamsPath, streamsProtocol } from './streams/stream-server.ts';
import { Translators } from './translators.ts';
import { serveTunnel } from './tunnel.ts';

/** Who knows the paths of this host; `PathSet` of @manypath/paths does. */
export interface PathSource extends PathKnowledge {
  status(): readonly PathStatus[];
  /** Whether somebody may set them up for Multipath TCP: `managing`, or else `observing`. Default `observing`. */
  readonly mode?: 'managing' | 'observing';
  /** What connections carried over each path, by its name. */
  carried?(): ReadonlyMap<string, Carried>;
  /** What was learned of paths and kept. */
  records?(): readonly PathRecord[];
  /** Calls `listener` when they change. @returns What ends that. */
  onChange?(listener: (change: PathChange) => void): () => void;
  /** The path that a subflow is on. */
  pathOf?: PathSet['pathOf'];
  /** Finds out how paths are of which nothing was heard just now, so that `status` is true at this moment. */
  freshen?(): Promise<void>;
}

/** How connections find their way; what a user may change while the gateway runs. */
export interface Routing {
  /** The relay to go through, or the URL that tells it. Default: none, every connection goes straight. */
  readonly relay?: Pairing | string;
  /** What happens to new connections while the relay is away: an error (default), or straight, over one path mostly. */
  readonly failover?: 'refuse' | 'straight';
  /** What the user wants for some hosts; the first that fits counts. */
  readonly rules?: readonly Rule[];
  /** Hosts that never go to the relay: a name, `*.domain`, an address, or a network. */
  readonly bypass?: readonly string[];
  /** Programs that web pages may run, by their names. Default: none. */
  readonly programs?: Readonly<Record<string, StreamProgram>>;
}

export interface GatewayOptions extends Routing {
  /** Where the proxy port is; port 0 takes a free one. Default 127.0.0.1:8118. */
  readonly listen?: Authority;
  /** Folder for the control socket; made with mode 0700 if it is missing. */
  readonly stateDir: string;
  /** What is told of paths, and of their changes. */
  readonly paths?: PathSource;
  /** Chooses the paths of connections; without it the kernel does. */
  readonly steward?: Steward;
  /** Whether origins that the relay carries much for are asked, once a day, whether they speak it. Default true. */
  readonly asksOrigins?: boolean;
  /** Who may use the proxy port: the user who started the gateway, and root (default); or everybody who reaches it. */
  readonly guard?: 'same-user' | 'none';
  /**
   * Refuses what comes by the proxy and leads to this machine or its local network. For a browser that reaches those
   * itself: it guards them from public pages by their addresses, which it does not know of what it has a proxy look up.
   * Default false.
   */
  readonly protectLocal?: boolean;
  /** Names that may lead to the local network all the same: a host name, or `*.domain`. */
  readonly localNames?: readonly string[];
  /** Opens a second proxy port, on a free port, that behaves as if there were no Manypath. Default false. */
  readonly straightPort?: boolean;
  /** Answers what the control socket asks of things that are not the gateway's own. Default: it says that they are not there. */
  readonly housekeeping?: Housekeeping;
  readonly logger?: Logger;
  /** Default: the name servers of every path, and the system's resolver for names of this machine's network. */
  readonly lookup?: Lookup;
  readonly clock?: Clock;
  readonly limits?: Partial<GatewayLimits>;
}

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
  readonly #log: EventLog;
  readonly #recorder: TrafficRecorder;
  #pairing: Pairing | undefined;
  #relay: RelayLink | undefined;
  /** Made when a page opens a first stream through the relay. */
  #relayForStreams: RelayLink | undefined;
  #dialer: Dialer;
  #programs: Readonly<Record<string, StreamProgram>>;
  readonly #straight: StraightDialer;
  readonly #front: Front;
  readonly #straightFront: Front;
  readonly #streams: StreamServer;
  readonly #guard: OwnerGuard;
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
  #multipathReason: MultipathReason | undefined;
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
    const pairing = typeof options.relay === 'string' ? parsePairing(options.relay) : options.relay;
    const server = await listen(options.listen ?? defaultListen).catch(async error => {
      // Who starts a second gateway by mistake mostly finds the port taken: by the first one.
      throw (await ControlServer.isRunning(options.stateDir))
        ? new GatewayRunningError(options.stateDir)
        : error;
    });
    const gateway = new Gateway(options, pairing, server);
    try {
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
    this.#localNetworks = new LocalNetworks(clock, this.#routeLookup());
    removeWrittenOrigins(options.stateDir);
    const origins = new OriginMemory({ clock, limits: this.#limits });
    this.#straight = new StraightDialer({
      paths: options.paths,
      lookup: options.lookup,
      origins,
      asksOrigins: options.asksOrigins ?? true,
      isLocal: address => this.#localNetworks.includes(address),
      steward: options.steward,
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
      translators: () => this.#translators.prefixes(),
    });
    this.#log = new EventLog(this.#limits.logEntries);
    this.#recorder = new TrafficRecorder(
      clock,
      this.#limits,
      () => options.paths?.carried?.() ?? new Map<string, Carried>(),
    );
    this.#pairing = pairing;
    this.#relay = pairing && this.#linkTo(pairing);
    this.#dialer = this.#dialerFor(options);
    this.#programs = options.programs ?? {};
    this.#streams = new StreamServer({
      limits: this.#limits,
      dial: request => this.#dialer.dial(request),
      note: target => this.#noteConnection(target, 'stream'),
      program: name => (Object.hasOwn(this.#programs, name) ? this.#programs[name] : undefined),
    });
    this.#front = new Front({
      limits: this.#limits,
      clock,
      onTunnel: wish => this.#serveTunnel(wish),
      dial: (target, context) => this.#dialForRequest(target, context.signal),
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
      onTunnel: wish => serveTunnel(wish, plain, this.#registry.add(wish.target, wish.dialect)),
      dial: (target, context) => this.#dialForRequest(target, context.signal, plain),
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
  status(): StatusDocument {
    const paths = this.#options.paths?.status() ?? [];
    const relay = this.#relayStatus(paths);
    return {
      paths,
      connections: living(this.#registry.status(), this.#pathNames(paths)),
      relay,
      multipath: this.#multipathUse(paths, relay),
      totals: this.#registry.totals(),
    };
  }

  #multipathUse(paths: readonly PathStatus[], relay: RelayStatus | null): MultipathUse {
    const rights = this.#options.paths?.mode === 'managing';
    return judgeMultipath({
      kernel: kernelSupport(),
      rights,
      paths,
      relay: relay && relayFacts(relay, this.#failover),
    });
  }

  #relayStatus(paths: readonly PathStatus[]): RelayStatus | null {
    const status = this.#relay?.status();
    if (status === undefined) return null;
    const lanes = [...status.lanes, ...(this.#relayForStreams?.status().lanes ?? [])];
    return { ...status, lanes: living(lanes, this.#pathNames(paths)) };
  }

  #pathNames(paths: readonly PathStatus[]): PathNames {
    return { paths, pathOf: ends => this.#options.paths?.pathOf?.(ends) };
  }

  /** What each path carried in the last two minutes. */
  history(): TrafficHistory {
    return this.#recorder.history();
  }

  /** Connections that did not come about, oldest first. */
  failures(): readonly FailureEntry[] {
    return this.#registry.failures();
  }

  /** What happened to paths, connections and the relay, newest last. */
  events(): readonly LogEntry[] {
    this.#note();
    return this.#log.entries();
  }

  /**
   * Takes other rules, or another relay, for connections from now on. Those that are open stay as they are; lanes to a relay that
   * is not used any more close when they have nothing to carry.
   *
   * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`, and all stays as it was
   */
  route(routing: Routing): void {
    const pairing = typeof routing.relay === 'string' ? parsePairing(routing.relay) : routing.relay;
    if (!isDeepStrictEqual(pairing, this.#pairing)) {
      this.#relay?.retire();
      this.#relayForStreams?.retire();
      this.#relayForStreams = undefined;
      this.#pairing = pairing;
      this.#relay = pairing && this.#linkTo(pairing);
    }
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
    const { paths: source } = this.#options;
    const paths = source?.status() ?? [];
    return {
      paths,
      carried: Object.fromEntries(source?.carried?.() ?? []),
      totals: this.#registry.totals(),
      multipath: this.#multipathUse(paths, this.#relayStatus(paths)),
      relay: this.#relay?.outline() ?? null,
    };
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
    this.#relay?.networkChanged();
    this.#relayForStreams?.networkChanged();
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
    this.#recorder.close();
    this.#relay?.close();
    this.#relayForStreams?.close();
    this.#straight.close();
    this.#guard.close();
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

  #linkTo(pairing: Pairing): RelayLink {
    return new RelayLink({ ...this.#linkOptions(pairing), onChange: () => this.#note() });
  }

  #linkOptions(pairing: Pairing): RelayLinkOptions {
    const { logger = silentLogger, steward } = this.#options;
    const { lookup } = this.#straight;
    const forgetName = (host: string): void => this.#straight.forgetName(host);
    return { pairing, limits: this.#limits, clock: this.#clock, logger, lookup, forgetName, steward };
  }

  #linkForStreams(): RelayLink {
    const pairing = this.#pairing;
    if (pairing === undefined) throw new RelayAwayError('', 'there is none');
    this.#relayForStreams ??= new RelayLink({
      ...this.#linkOptions(pairing),
      limits: { ...this.#limits, streamWindowBytes: this.#limits.streamAheadBytes, lanesLeast: 1 },
      aheadBytes: this.#limits.streamAheadBytes,
      surveys: false,
    });
    return this.#relayForStreams;
  }

  #dialerFor({ rules, bypass, failover = 'refuse' }: Routing): Dialer {
    this.#failover = failover;
    return new Dialer({
      relay: () => this.#relay,
      relayForStreams: () => this.#linkForStreams(),
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
        this.#note();
      }),
      steward?.onFailover((path, stallMs) => this.#log.noteFailover(path, stallMs)),
    ];
    this.#undo.push(...undo.filter(one => one !== undefined));
    this.#note();
  }

  /** Paths are thought of otherwise than before: what was learned of them is put right, and lanes see to themselves. */
  #healthChanged(): void {
    this.#straight.healthChanged();
    for (const relay of [this.#relay, this.#relayForStreams]) relay?.healthChanged();
  }

  /** Writes down how paths and the relay are, where that is other than before. */
  #note(): void {
    this.#log.notePaths(this.#options.paths?.status() ?? []);
    const relay = this.#relay?.outline();
    if (relay !== undefined) this.#log.noteRelay(relay.state, relay.reason);
    this.#noteMultipath();
  }

  /** Writes down how paths are used together where that is other than before; what it begins with, whoever starts it says. */
  #noteMultipath(): void {
    const paths = this.#options.paths?.status() ?? [];
    const { reason, text, command } = this.#multipathUse(paths, this.#relayStatus(paths));
    const before = this.#multipathReason;
    this.#multipathReason = reason;
    if (before === undefined || before === reason) return;
    const { logger = silentLogger } = this.#options;
    const fields = command === null ? {} : { command };
    if (isHindrance(reason)) logger.warn(fields, text);
    else if (isHindrance(before)) logger.info(fields, text);
  }

  #noteConnection(target: Authority, dialect: Dialect): Connection {
    const connection = this.#registry.add(target, dialect);
    this.#recorder.watch(() => this.#isBusy());
    return connection;
  }

  #isBusy(): boolean {
    return this.#registry.size > 0;
  }

  async #serveTunnel(wish: TunnelWish): Promise<void> {
    const connection = this.#noteConnection(wish.target, wish.dialect);
    await serveTunnel(wish, this.#dialer, connection);
  }

  /** Opens a connection for plain HTTP requests, and accounts for it until it closes. */
  async #dialForRequest(target: Authority, signal: AbortSignal, dialer = this.#dialer): Promise<Duplex> {
    const connection = this.#noteConnection(target, 'forward');
    const giveUp = new AbortController();
    connection.abortWith(reason => giveUp.abort(reason));
    try {
      const dialled = await dialer.dial({
        target,
        dialect: 'forward',
        signal: AbortSignal.any([signal, giveUp.signal]),
        takeFirstBytes: () => new Uint8Array(),
      });
      const { stream } = dialled;
      connection.dialled(dialled);
      connection.carries({ count: countBytes(stream), halfClosed: () => false });
      connection.abortWith(() => stream.destroy());
      stream.once('close', () => connection.end());
      return stream;
    } catch (error) {
      connection.fail(error);
      throw error;
    }
  }

  #take(server: Server): void {
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    server.on('error', () => {});
  }

  #routeLookup(): RouteLookup {
    let routes: RouteSocket;
    try {
      routes = RouteSocket.open();
    } catch {
      return () => undefined;
    }
    this.#undo.push(() => routes.close());
    return address => {
      try {
        return routes.routeTo(address);
      } catch {
        return undefined;
      }
    };
  }
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
