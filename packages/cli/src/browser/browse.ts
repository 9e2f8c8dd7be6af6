import type { Server, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Logger, ManypathError } from '@manypath/core';
import { BrowserLog } from './browser-log.ts';
import { Caretaker } from './caretaker.ts';
import { chromiumArguments, switchValue } from './chromium-arguments.ts';
import { type Browser, findBrowser } from './find-browser.ts';
import { type BrowserLimits, browserLimits } from './limits.ts';
import { bypassForHost, bypassForQuietNamespace, isLocalAddress, LocalNames } from './local-destinations.ts';
import { LocalNameResponder } from './local-name-responder.ts';
import { quietAddress } from './namespace-plan.ts';
import { explainRefusal } from './namespace-refusal.ts';
import { readOwnNames } from './own-names.ts';
import { openProfile, type Profile } from './profile.ts';
import { openQuietNamespace, type QuietNamespace } from './quiet-namespace.ts';
import { openRemoteDebugging, type RemoteDebugging } from './remote-debugging.ts';
import { type ResolverFile, readResolverFile } from './resolver-file.ts';
import { exitCode, forwardSignals, type RunningBrowser, startBrowser } from './run-browser.ts';

/** What `browse` needs of the gateway; `Gateway` of `@manypath/gateway` has it. */
export interface BrowserGateway {
  /** Where it listens in the host's own namespace. */
  readonly proxy: { readonly host: string; readonly port: number };
  /** Where its proxy listens that behaves as if there were no Manypath. */
  readonly straightProxy: { readonly host: string; readonly port: number };
  /** Takes the connections to the proxy that come from another namespace. */
  serve(server: Server): void;
  /** The same for connections to the proxy that goes straight. */
  serveStraight(server: Server): void;
  /** Tells by which address the browser reaches both proxies. */
  reachedBy(host: string): void;
  /** Whether an accepted connection comes from the user who started it. */
  admits(accepted: Socket): boolean;
  /** Takes connections that were redirected here, and dials what they were meant for from this namespace. */
  serveRedirected(server: Server): void;
}

/** What {@link browse} does. */
export interface BrowseOptions {
  /** A gateway that runs; it is not closed here. */
  readonly gateway: BrowserGateway;
  /** Folder for named profiles. */
  readonly stateDir: string;
  /** The page to open. */
  readonly url?: string | undefined;
  /** Without a window; default false. */
  readonly headless?: boolean | undefined;
  /** In a quiet network namespace; default true. */
  readonly isolate?: boolean | undefined;
  /** Name of a profile that is kept; default: a fresh one, removed at the end. */
  readonly profile?: string | undefined;
  /** Path or name of the browser; default `$MANYPATH_BROWSER`, else the first that is found. */
  readonly browser?: string | undefined;
  /** Names the browser resolves itself, on top of the usual local ones: a host name, or `*.domain`. */
  readonly localNames?: readonly string[] | undefined;
  /** Prepares a profile for the extension. @returns The folder to load it from; `undefined` when there is none. */
  readonly extension?: (profile: string) => string | undefined;
  /** Told whether the browser is kept from changes of the network, and if not, why. */
  readonly onIsolation?: (isolation: { isolated: boolean; reason: string | null }) => void;
  /** Arguments for the browser; they come before ours. */
  readonly chromiumArguments?: readonly string[] | undefined;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
  /** Where `ready` and `exit` are reported; while `enabled` the browser's own stdout goes to stderr. */
  readonly events?: {
    readonly enabled: boolean;
    emit(event: { event: string } & Record<string, unknown>): void;
  };
  /** Ends the browser, as SIGTERM does. */
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<BrowserLimits>;
}

/**
 * Opens an unmodified Chromium whose every TCP connection goes through the gateway, and waits for its end.
 *
 * While it runs, SIGINT, SIGTERM and SIGHUP are handed to the browser instead of ending this process. With
 * `--remote-debugging-pipe` among the arguments descriptors 3 and 4 are handed on as well; the port of `--remote-debugging-port`
 * is reachable from this machine's own network. What the browser writes to its standard error goes to the log, at `debug`.
 *
 * @returns The browser's exit code; 128 + the signal's number when a signal ended it, or the set-up.
 * @throws BrowserNotFoundError `MANYPATH_BROWSER_NOT_FOUND`
 * @throws BrowserStartError `MANYPATH_BROWSER_START_FAILED`
 * @throws DebuggingPortError `MANYPATH_DEBUGGING_PORT_FAILED`
 * @throws ProfileNameError `MANYPATH_PROFILE_NAME_INVALID`
 * @throws LocalNameError `MANYPATH_LOCAL_NAME_INVALID`
 */
export async function browse(options: BrowseOptions): Promise<number> {
  const limits: BrowserLimits = { ...browserLimits, ...options.limits };
  const resolver = readResolverFile();
  const own = readOwnNames();
  const names = new LocalNames(options.localNames, [...resolver.searchDomains, ...own.domains], own.hosts);
  const browser = findBrowser({ chosen: options.browser });

  const stop = new Stop(options.signal);
  let namespace: QuietNamespace | undefined;
  let caretaker: Caretaker | undefined;
  let debugging: RemoteDebugging | undefined;
  try {
    const isolation = await isolate(options, browser, resolver, limits, stop.signal);
    namespace = isolation.namespace;
    options.onIsolation?.({ isolated: namespace !== undefined, reason: isolation.reason ?? null });
    if (stop.code !== undefined) return stop.code;
    if (namespace !== undefined) connect(namespace, options.gateway, names, limits);

    const extra = options.chromiumArguments ?? [];
    const profile = openProfile({
      browser,
      stateDir: options.stateDir,
      name: options.profile,
      folder: switchValue(extra, '--user-data-dir'),
    });
    caretaker = new Caretaker(profile, limits.browserShutdownMs);
    const extension = options.extension?.(profile.folder);
    const { gateway, logger } = options;
    debugging = await openRemoteDebugging({
      extra,
      namespace,
      profile: profile.folder,
      admits: accepted => gateway.admits(accepted),
      logger,
      limits,
    });
    const running = await startBrowser(
      {
        enter: namespace?.enter ?? [],
        path: browser.path,
        parameters: chromiumArguments({
          proxy: proxyOf(gateway, namespace),
          straightProxy: gateway.straightProxy,
          bypass:
            namespace === undefined ? bypassForHost(names, localSubnets()) : bypassForQuietNamespace(names),
          profile: profile.folder,
          extension,
          headless: options.headless ?? false,
          root: process.getuid?.() === 0,
          url: options.url,
          extra: debugging.extra,
        }),
        stdout: options.events?.enabled ? 2 : 1,
        debuggingPipe: switchValue(extra, '--remote-debugging-pipe') !== undefined,
      },
      limits.browserShutdownMs,
    );
    caretaker.watch(running.pid);
    const log = new BrowserLog(running.errors, {
      logger,
      isAskedFor: ['--enable-logging', '--v', '--vmodule'].some(
        name => switchValue(extra, name) !== undefined,
      ),
      onDebugging: url => debugging?.onListening(url),
    });
    stop.passTo(running);
    report(options, { browser, profile, running, isolation });
    const code = await running.ended;
    if (code !== 0 && stop.code === undefined) await tellFailure(code, log, logger);
    options.events?.emit({ event: 'exit', code });
    return code;
  } finally {
    await caretaker?.finish();
    debugging?.close();
    namespace?.close();
    stop.dispose();
  }
}

/** The namespace, or why there is none. */
interface Isolation {
  readonly namespace?: QuietNamespace;
  readonly reason?: string;
}

async function isolate(
  options: BrowseOptions,
  browser: Browser,
  { nameServers }: ResolverFile,
  limits: BrowserLimits,
  signal: AbortSignal,
): Promise<Isolation> {
  if (options.isolate === false) return { reason: 'switched off' };
  if (browser.snap) return { reason: 'a snap cannot be isolated' };
  try {
    const proxyPort = options.gateway.proxy.port;
    const straightPort = options.gateway.straightProxy.port;
    const setupMs = limits.namespaceSetupMs;
    return { namespace: await openQuietNamespace({ proxyPort, straightPort, nameServers, setupMs, signal }) };
  } catch (error) {
    if (!ManypathError.is(error)) throw error;
    return { reason: explainRefusal(error.message) };
  }
}

/** Gives the gateway what comes out of the namespace, and the namespace its name server. */
function connect(
  namespace: QuietNamespace,
  gateway: BrowserGateway,
  names: LocalNames,
  limits: BrowserLimits,
): void {
  gateway.serve(namespace.proxy);
  gateway.serveStraight(namespace.straight);
  gateway.reachedBy(quietAddress);
  for (const server of namespace.redirected) gateway.serveRedirected(server);
  const responder = new LocalNameResponder({ names, limits });
  for (const socket of namespace.names) responder.serve(socket);
}

function proxyOf(gateway: BrowserGateway, namespace: QuietNamespace | undefined) {
  return namespace === undefined ? gateway.proxy : { host: quietAddress, port: gateway.proxy.port };
}

/** The local networks that this host is part of, right now. */
function localSubnets(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  return addresses
    .filter(({ internal, address }) => !internal && isLocalAddress(address))
    .flatMap(({ cidr }) => cidr ?? []);
}

const noDisplay = 'there is no display here for its windows: run it in a desktop session, or with --headless';

/** What Chromium says on X11 and Wayland. */
function lacksDisplay(words: readonly string[]): boolean {
  return words.some(line => /Missing X server or \$DISPLAY|Failed to connect to Wayland display/.test(line));
}

/** Says what the browser said before it failed. */
async function tellFailure(code: number, log: BrowserLog, logger: Pick<Logger, 'warn'>): Promise<void> {
  await log.settled();
  const words = log.lastWords.map(line => `\n  ${line}`).join('');
  if (words !== '') logger.warn({}, `the browser ended with ${code}, and said:${words}`);
  if (lacksDisplay(log.lastWords)) logger.warn({}, noDisplay);
}

/** Says in one line what was set up, and in one more each what is lost. */
function report(
  { gateway, logger, events, chromiumArguments: extra = [] }: BrowseOptions,
  setUp: { browser: Browser; profile: Profile; running: RunningBrowser; isolation: Isolation },
): void {
  const { browser, profile, running, isolation } = setUp;
  const { namespace, reason } = isolation;
  const { host, port } = gateway.proxy;
  const isolated = namespace !== undefined;
  const local = !isolated || namespace.localFailure === undefined;

  const where = isolated ? 'in a quiet network namespace' : 'in the network of this machine';
  const direct = isolated && local ? ', localhost and local networks as ever' : '';
  logger.info(
    {},
    `${browser.name} ${where}, all its TCP through ${host}:${port}${direct}; ${profile.description}`,
  );
  if (!isolated) {
    logger.warn(
      {},
      `not isolated (${reason}): any change of an address or link here breaks off HTTP/2 downloads`,
    );
  }
  if (!local) logger.warn({}, `localhost and local networks cannot be reached: ${namespace?.localFailure}`);
  if (process.getuid?.() === 0) {
    logger.warn({}, 'running as root: Chromium starts only without its sandbox; better run this as a user');
  }
  if (
    switchValue(extra, '--proxy-server') !== undefined ||
    switchValue(extra, '--proxy-pac-url') !== undefined
  ) {
    logger.warn({}, 'your own proxy setting replaces the gateway: nothing is multipath');
  }

  events?.emit({
    event: 'ready',
    proxy: gateway.proxy,
    isolated,
    reason: reason ?? null,
    local,
    localReason: namespace?.localFailure ?? null,
    browser: { name: browser.name, path: browser.path, pid: running.pid },
    profile: { folder: profile.folder, temporary: profile.temporary },
  });
}

/** What ends the browser: a signal to this process, or the caller. Before it runs, the set-up is given up. */
class Stop {
  /** Aborted when the set-up is to be given up. */
  readonly signal: AbortSignal;
  /** Exit code for a set-up that was given up. */
  code: number | undefined;
  readonly #controller = new AbortController();
  readonly #restore: () => void;
  readonly #caller: AbortSignal | undefined;
  readonly #onAbort = () => this.#receive('SIGTERM', 143);
  #running: RunningBrowser | undefined;

  constructor(caller: AbortSignal | undefined) {
    this.signal = this.#controller.signal;
    this.#caller = caller;
    this.#restore = forwardSignals(signal => this.#receive(signal, exitCode(null, signal)));
    caller?.addEventListener('abort', this.#onAbort, { once: true });
    if (caller?.aborted) this.#onAbort();
  }

  passTo(running: RunningBrowser): void {
    this.#running = running;
    if (this.code !== undefined) running.end('SIGTERM');
  }

  dispose(): void {
    this.#restore();
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }

  #receive(signal: NodeJS.Signals, code: number): void {
    this.code ??= code;
    if (this.#running === undefined) this.#controller.abort();
    else this.#running.end(signal);
  }
}
