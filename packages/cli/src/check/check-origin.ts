import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { type Authority, errorCode, errorMessage, silentLogger } from '@manypath/core';
import { info, type Lookup, multipathSupport, RouteSocket, reasonText, resetSocket } from '@manypath/mptcp';
import {
  type DialledSocket,
  DirectSteering,
  dialOverPaths,
  discoverPaths,
  type Path,
  type PathOutlook,
  PathResolver,
  SettingsKeeper,
  type SteeringRights,
} from '@manypath/paths';

/** Whether a second path could join a connection that began on another one. */
export type JoinResult = 'works' | 'fails' | 'unknown';

/** What a connection over one path found. */
export interface PathCheck {
  /** Name of the path; `null` when the target is on this machine or its network, where no path is chosen. */
  readonly path: string | null;
  /** The address that answered. */
  readonly address: string | null;
  /** `null` where there was no connection. */
  readonly mptcp: boolean | null;
  /** Round trip in milliseconds. */
  readonly rttMs: number | null;
  /** Why it is Multipath TCP or is not, or why there is no connection. */
  readonly reason: string;
  /** Whether another path could join; `null` where nothing could: no Multipath TCP, or no other path. */
  readonly join: JoinResult | null;
  readonly joinReason: string | null;
}

/** What `manypath check --json` prints. */
export interface OriginCheck {
  readonly host: string;
  readonly port: number;
  /**
   * Whether it speaks Multipath TCP over one path at least; `null` where that cannot be told: it was not reached, or this kernel does
   * not speak it.
   */
  readonly mptcp: boolean | null;
  readonly paths: readonly PathCheck[];
}

const dialMs = 5_000;
const joinMs = 2_000;
const pollMs = 20;

/** Connects to a target over every path of this host, and sees what comes of it. Changes no settings. */
export async function checkOrigin(target: Authority, signal: AbortSignal): Promise<OriginCheck> {
  const routes = RouteSocket.open();
  const steering = await openSteering();
  const rights = steering?.rights;
  try {
    const tables = { links: routes.links(), addresses: routes.addresses(), routes: routes.routes() };
    const outlooks = discoverPaths(tables).map(asOutlook);
    const askRoute = routes.routeTo.bind(routes);
    const { lookup } = new PathResolver({ outlooks: () => outlooks, askRoute });
    const check = new Check({ target, outlooks, askRoute, lookup, rights, signal });
    const names = outlooks.map(({ path }) => path.name);
    const all = await Promise.all((names.length === 0 ? [undefined] : names).map(name => check.over(name)));
    // What is near is reached the same way, whatever path was asked for.
    const paths = all.every(({ path, address }) => path === null && address !== null) ? all.slice(0, 1) : all;
    return { ...target, mptcp: verdict(paths), paths };
  } finally {
    routes.close();
    await steering?.close();
  }
}

interface CheckOptions {
  readonly target: Authority;
  readonly outlooks: readonly PathOutlook[];
  readonly askRoute: RouteSocket['routeTo'];
  readonly lookup: Lookup;
  readonly rights: SteeringRights | undefined;
  readonly signal: AbortSignal;
}

class Check {
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  /** @param name Of the path; `undefined`: as the routing table has it. */
  async over(name: string | undefined): Promise<PathCheck> {
    let dialled: DialledSocket;
    let isSteered = this.#options.rights !== undefined;
    try {
      try {
        dialled = await this.#dial(name, this.#options.rights);
      } catch (error) {
        if (!isSteered || !isAboutRights(error)) throw error;
        isSteered = false;
        dialled = await this.#dial(name, undefined);
      }
    } catch (error) {
      this.#options.signal.throwIfAborted();
      return failed(name, error);
    }
    const { socket, path, address } = dialled;
    socket.on('error', () => {});
    try {
      const { multipath, reason, subflows } = info(socket);
      const isChosen = info(socket).device !== undefined;
      const join = multipath && path !== undefined ? await this.#tryJoin(socket, path, isSteered) : undefined;
      return {
        path: isChosen ? (name ?? null) : null,
        address,
        mptcp: multipath,
        rttMs: subflows[0]?.rttMs ?? null,
        reason: reasonText(reason),
        join: join?.result ?? null,
        joinReason: join?.reason ?? null,
      };
    } finally {
      resetSocket(socket);
    }
  }

  #dial(name: string | undefined, rights: SteeringRights | undefined): Promise<DialledSocket> {
    const { target, outlooks, askRoute, lookup, signal } = this.#options;
    return dialOverPaths({
      ...target,
      outlooks: () => outlooks,
      only: name === undefined ? undefined : [name],
      askRoute,
      lookup,
      signal,
      timeout: dialMs,
      openSocket: rights && (family => rights.openSocket(family)),
    });
  }

  /** Joins every other path in turn, or sees whether the kernel does; one that works is enough. */
  async #tryJoin(
    socket: Socket,
    first: Path,
    isSteered: boolean,
  ): Promise<{ result: JoinResult; reason: string } | undefined> {
    const { outlooks, rights, target, signal } = this.#options;
    const others = outlooks.map(({ path }) => path).filter(path => path.name !== first.name);
    if (others.length === 0) return undefined;
    // Paths may join once the other side has acknowledged data.
    await saySomething(socket, target, signal);
    const { token } = info(socket);
    const { remoteAddress, remotePort, remoteFamily } = socket;
    if (token === undefined || remoteAddress === undefined || remotePort === undefined) {
      return {
        result: 'fails',
        reason: 'The other side closed the connection before another path could join.',
      };
    }
    const family = remoteFamily === 'IPv6' ? 6 : 4;
    const joinable = others.flatMap(path => {
      const own = path.addresses.find(address => address.family === family);
      return own === undefined ? [] : [{ path, address: own.address }];
    });
    if (joinable.length === 0)
      return { result: 'unknown', reason: `No other path has an IPv${family} address.` };
    if (rights !== undefined && isSteered) {
      for (const [position, { path, address }] of joinable.entries()) {
        await rights
          .createSubflow({
            token,
            localAddress: address,
            localId: position + 1,
            device: path.name,
            remote: { address: remoteAddress, port: remotePort },
            backup: false,
          })
          .catch(() => {});
      }
    }
    const joined = await this.#joined(socket, joinable);
    if (joined !== undefined) return { result: 'works', reason: `${joined} joined.` };
    if (isSteered) {
      return { result: 'fails', reason: 'Another path was refused, or its packets do not get through.' };
    }
    return {
      result: 'unknown',
      reason: 'The kernel joined no other path by itself; trying that needs CAP_NET_ADMIN.',
    };
  }

  async #joined(
    socket: Socket,
    joinable: readonly { path: Path; address: string }[],
  ): Promise<string | undefined> {
    const { signal } = this.#options;
    for (let waited = 0; waited < joinMs; waited += pollMs) {
      const { subflows } = info(socket);
      const joined = joinable.find(({ address }) =>
        subflows.some(({ local, state }) => local.address === address && state === 'established'),
      );
      if (joined !== undefined) return joined.path.name;
      if (socket.destroyed) return undefined;
      await sleep(pollMs, undefined, { signal });
    }
    return undefined;
  }
}

/** Sends what the service on the other side will not mind, and waits until it has arrived. */
async function saySomething(socket: Socket, { host, port }: Authority, signal: AbortSignal): Promise<void> {
  if (port === 443 || port === 8443) {
    const servername = /[a-z]/i.test(host) && !host.includes(':') ? { servername: host } : {};
    // Nothing is said inside that would have to be kept secret.
    tlsConnect({ socket, ...servername, rejectUnauthorized: false }).on('error', () => {});
  } else {
    socket.write('\r\n');
  }
  for (let waited = 0; waited < joinMs && !socket.destroyed; waited += pollMs) {
    await sleep(pollMs, undefined, { signal });
    const { bytesAcked } = info(socket);
    if (bytesAcked > 0) return;
  }
}

function verdict(paths: readonly PathCheck[]): boolean | null {
  if (paths.some(path => path.mptcp)) return true;
  const isTold = multipathSupport() === 'multipath' && paths.some(({ address }) => address !== null);
  return isTold ? false : null;
}

function failed(name: string | undefined, error: unknown): PathCheck {
  return {
    path: name ?? null,
    address: null,
    mptcp: null,
    rttMs: null,
    reason: errorMessage(error),
    join: null,
    joinReason: null,
  };
}

function asOutlook(path: Path): PathOutlook {
  return {
    path,
    tier: 'primary',
    health: 'unknown',
    rttMs: undefined,
    downMbps: undefined,
    upMbps: undefined,
  };
}

/** Rights to steer connections, where this process has them. */
async function openSteering(): Promise<{ rights: SteeringRights; close: () => Promise<void> } | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const keeper = SettingsKeeper.open({ stateDir: tmpdir(), logger: silentLogger });
  let rights: DirectSteering | undefined;
  const close = async (): Promise<void> => {
    rights?.close();
    await keeper.end();
  };
  try {
    await keeper.begin({ limits: 'unchanged' });
    if (keeper.mayLeaveToUserspace) {
      rights = new DirectSteering(keeper);
      return { rights, close };
    }
  } catch {
    // Then what the kernel does by itself is seen.
  }
  await close();
  return undefined;
}

/** Whether a dial failed because sockets that can be steered are not to be had, which others are. */
function isAboutRights(error: unknown): boolean {
  const errors = [error, error instanceof Error ? error.cause : undefined].flatMap(one =>
    one instanceof AggregateError ? one.errors : [one],
  );
  return errors.some(one =>
    ['EACCES', 'EPERM', 'EROFS', 'MPTCP_UNSUPPORTED', 'MPTCP_SYSTEM_CALL'].includes(errorCode(one) ?? ''),
  );
}
