import { promises as dns } from 'node:dns';
import { isIP, type Socket } from 'node:net';
import {
  type Clock,
  errorCode,
  formatAuthority,
  ManypathError,
  systemClock,
  type Timer,
} from '@manypath/core';
import {
  AddressRefusedError,
  ConnectError,
  type ConnectOptions,
  ConnectTimeoutError,
  connect,
  type FailedAttempt,
  info,
  type Lookup,
  LookupError,
  type OpenDescriptor,
  resetSocket,
} from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import { type SizeQuestion, smallSegment } from '../health/packet-sizes.ts';
import { pathsLimits } from '../limits.ts';
import type { PathOutlook } from '../outlook.ts';
import { type DialCandidate, delayBetween, familyOf, orderCandidates } from './candidates.ts';
import { NoPathError } from './errors.ts';
import { type AskRoute, leadsOut, sourceFor } from './leads-out.ts';
import { mappedAddress, unmappedAddress } from './mapped-address.ts';
import { type RaceEntry, type RaceOutcome, racePaths } from './path-race.ts';
import type { WinnerMemory } from './winner-memory.ts';

export interface DialOptions {
  /** A name or an IP literal; an IPv6 literal may stand in brackets. */
  readonly host: string;
  readonly port: number;
  /** What is known of the paths now. With one path or none, the routing table decides. */
  readonly outlooks: () => readonly PathOutlook[];
  /** Learns which path answered, and begins with it the next time. */
  readonly remembered?: WinnerMemory | undefined;
  /** Name of the path to begin with, if it is as good as the others and nothing speaks against it. */
  readonly prefer?: string | undefined;
  /** Use these paths only, by name; default: all that may be used. */
  readonly only?: readonly string[] | undefined;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
  /** Gives up: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for everything, names included. Default 30 000. */
  readonly timeout?: number | undefined;
  /** Ask for Multipath TCP. Default true. */
  readonly mptcp?: boolean | undefined;
  /** As in `connect` of @manypath/mptcp. */
  readonly allowHalfOpen?: boolean | undefined;
  readonly congestion?: string | undefined;
  readonly filterAddress?: ((address: string) => Error | undefined) | undefined;
  readonly openSocket?: OpenDescriptor | undefined;
  /**
   * Where the host has addresses of both families and some path lacks one, dial IPv4 by an IPv6 socket: only to such a connection
   * subflows of both families can be added. Default false.
   */
  readonly joinsBothFamilies?: boolean | undefined;
  readonly keepAlive?: ConnectOptions['keepAlive'] | undefined;
  /** Longest wait for one way before the next is tried beside it, in milliseconds. Default 250 (RFC 8305 §5). */
  readonly attemptDelay?: number | undefined;
  /** How long other paths have until one for backup is tried, in milliseconds. Default 1000. */
  readonly backupDelay?: number | undefined;
  /** Asks the kernel for routes (`RouteSocket.routeTo`); without it, only the paths' own networks are known as near. */
  readonly askRoute?: AskRoute | undefined;
  /** Told what was learned of a path; `rttMs` of `answered` is the time of the handshake. */
  readonly onOutcome?: ((path: string, outcome: 'answered' | 'silent', rttMs?: number) => void) | undefined;
  /** Finds out which packets pass over a path, from a connection that was just made over it. Default: nobody asks. */
  readonly examineSizes?: ((path: string, question: SizeQuestion) => Promise<SizesPass>) | undefined;
  readonly clock?: Clock | undefined;
}

/** Which packets pass; `undefined`: nobody tells. */
type SizesPass = 'all' | 'small' | undefined;

/** A connection, and the way it took. */
export interface DialledSocket {
  readonly socket: Socket;
  /** The path it leaves by; `undefined` when it leaves by none, such as to this machine. */
  readonly path: Path | undefined;
  /** The address that answered. */
  readonly address: string;
  /** All addresses that the host has and that may be dialled. */
  readonly addresses: readonly string[];
}

const dialTimeoutMs = 30_000;
/** How often is dialled while it turns out of one path after the other that larger packets are lost on it. */
const mostTries = 4;

/**
 * Connects over whichever path and address answers first, beginning with the best: healthy paths before troubled ones, those
 * for backup only when the others fail or stay silent. A path that is up and carries nothing costs a quarter of a
 * second once, and nothing afterwards.
 *
 * What the routing table sends over no path at all (this machine, a network it is on, a VPN) is not bound to any. For an
 * IP literal the first descriptor is made before this function returns.
 *
 * @throws NoPathError `MANYPATH_NO_PATH`, no path may be used
 * @throws what `connect` of @manypath/mptcp throws, one failed attempt for every way
 */
export async function dialOverPaths(options: DialOptions): Promise<DialledSocket> {
  const { timeout = dialTimeoutMs, clock = systemClock } = options;
  const host = options.host.replace(/^\[(.*)\]$/, '$1');
  const target = formatAuthority({ host, port: options.port });
  const over = new AbortController();
  const timedOut = new ConnectTimeoutError(target, timeout, []);
  const onAbort = (): void => over.abort(options.signal?.reason);
  if (options.signal?.aborted) throw options.signal.reason;
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = timeout > 0 ? clock.after(timeout, () => over.abort(timedOut)) : undefined;
  let dial: Dial | undefined;
  try {
    const addresses = isIP(host) === 0 ? await resolve(host, options.lookup, over.signal) : [host];
    for (let tries = 1; ; tries++) {
      dial = new Dial({ ...options, host }, target, addresses, clock);
      const dialled = await dial.run(over.signal);
      if (tries === mostTries || !(await losesLargePackets(options, dialled))) return dialled;
      // Now that it is known, another path is better, or smaller segments are.
      resetSocket(dialled.socket);
    }
  } catch (error) {
    if (error !== timedOut) throw error;
    throw new ConnectTimeoutError(target, timeout, dial?.failures() ?? []);
  } finally {
    timer?.cancel();
    options.signal?.removeEventListener('abort', onAbort);
  }
}

class Dial {
  readonly #options: DialOptions;
  readonly #target: string;
  readonly #addresses: readonly string[];
  readonly #refused: FailedAttempt[] = [];
  readonly #askRoute: AskRoute | undefined;
  readonly #clock: Clock;
  #entries: () => readonly RaceEntry<DialCandidate>[] = () => [];

  constructor(options: DialOptions, target: string, addresses: readonly string[], clock: Clock) {
    this.#options = options;
    this.#target = target;
    this.#clock = clock;
    this.#askRoute = options.askRoute && askedOnce(options.askRoute);
    this.#addresses = addresses.filter(address => {
      const error = options.filterAddress?.(address);
      if (error !== undefined) this.#refused.push({ address, error });
      return error === undefined;
    });
  }

  async run(signal: AbortSignal): Promise<DialledSocket> {
    if (this.#addresses.length === 0) throw new AddressRefusedError(this.#target, this.#refused);
    const outlooks = this.#options.outlooks();
    const candidates = this.#candidates(outlooks);
    const race = racePaths<DialCandidate, Socket>({
      candidates,
      start: (candidate, aborted) => this.#attempt(candidate, aborted),
      discard: resetSocket,
      delay: (last, next) =>
        delayBetween(last, next, {
          attemptDelayMs: this.#options.attemptDelay ?? pathsLimits.attemptDelayMs,
          leastDelayMs: pathsLimits.attemptDelayLeastMs,
          backupDelayMs: this.#options.backupDelay ?? pathsLimits.backupDelayMs,
        }),
      clock: this.#clock,
      signal,
    });
    this.#entries = race.entries;
    const outcome = await race.outcome;
    if (outcome.won === undefined) throw this.#failure();
    const { candidate, result: socket } = outcome.won;
    if (socket.errored !== null) {
      throw new ConnectError(this.#target, [{ address: candidate.address, error: socket.errored }]);
    }
    const path = candidate.path ?? pathOfSocket(socket, outlooks);
    this.#learn(outcome, path, outlooks);
    return { socket, path, address: candidate.address, addresses: this.#addresses };
  }

  failures(): FailedAttempt[] {
    const failed = this.#entries().flatMap(({ candidate, error }) =>
      error === undefined ? [] : unwrapped(candidate, error),
    );
    return [...failed, ...this.#refused];
  }

  /** Addresses that lead out take the paths in turns; the others, and what is left at the end, the routing table's way. */
  #candidates(all: readonly PathOutlook[]): DialCandidate[] {
    const { only, prefer, remembered, host } = this.#options;
    const paths = all.map(({ path }) => path);
    const allowed = only === undefined ? all : all.filter(({ path }) => only.includes(path.name));
    const isChoice = all.length > 1 || allowed.some(({ tier }) => tier === 'never') || only !== undefined;
    // Who names the paths to use means these, wherever the routing table would go.
    const askRoute = only === undefined ? this.#askRoute : undefined;
    const far = isChoice ? this.#addresses.filter(address => leadsOut(address, paths, askRoute)) : [];
    const leanings = {
      preferred: [remembered?.winner(host, all), prefer],
      isDoubted: (path: Path) => remembered?.isDoubted(path) ?? false,
    };
    const bound = orderCandidates(far, allowed, leanings);
    const plain = this.#addresses.filter(
      address => !far.includes(address) || (only === undefined && this.#mayLeavePlain(address, all)),
    );
    const near = plain.filter(address => !far.includes(address));
    // What is near comes first: it answers at once, or is not there. What is far goes last, in case the paths are not as they seem.
    const candidates = [
      ...near.map(asPlain),
      ...bound,
      ...plain.filter(one => !near.includes(one)).map(asPlain),
    ];
    if (candidates.length === 0) throw new NoPathError(this.#target);
    const most = pathsLimits.dialCandidates;
    return candidates.slice(0, most);
  }

  /** Whether the routing table's way is not one that the user forbids, or wants to be sparing with. */
  #mayLeavePlain(address: string, outlooks: readonly PathOutlook[]): boolean {
    const device = this.#askRoute?.(address)?.device;
    if (device === undefined) return outlooks.every(({ tier }) => tier === 'primary' || tier === 'secondary');
    const outlook = outlooks.find(({ path }) => path.name === device);
    return outlook === undefined || (outlook.tier !== 'never' && outlook.tier !== 'backup');
  }

  #attempt(candidate: DialCandidate, signal: AbortSignal): Promise<Socket> {
    const { address, path } = candidate;
    const { port, mptcp, allowHalfOpen, congestion, openSocket, keepAlive } = this.#options;
    const source = path && sourceFor(address, path, this.#askRoute);
    const shown = this.#isForBothFamilies ? mappedAddress : (literal: string) => literal;
    return connect({
      host: shown(address),
      port,
      signal,
      timeout: 0,
      ...(path === undefined ? {} : { device: path.name }),
      ...(source === undefined ? {} : { localAddress: shown(source) }),
      ...(this.#takesSmallOnly(candidate) ? { maximumSegment: smallSegment(address) } : {}),
      ...(mptcp === undefined ? {} : { mptcp }),
      ...(allowHalfOpen === undefined ? {} : { allowHalfOpen }),
      ...(congestion === undefined ? {} : { congestion }),
      ...(openSocket === undefined ? {} : { openSocket }),
      ...(keepAlive === undefined ? {} : { keepAlive }),
    });
  }

  #takesSmallOnly({ path, takesSmallOnly = false }: DialCandidate): boolean {
    if (path !== undefined) return takesSmallOnly;
    const outlooks = this.#options.outlooks();
    return outlooks.length > 0 && outlooks.every(outlook => outlook.takesSmallOnly);
  }

  get #isForBothFamilies(): boolean {
    const { joinsBothFamilies = false, outlooks } = this.#options;
    if (!joinsBothFamilies || new Set(this.#addresses.map(familyOf)).size < 2) return false;
    return outlooks().some(({ path }) => new Set(path.addresses.map(({ family }) => family)).size < 2);
  }

  /** What this dial says about the paths: who answered, and who was silent for longer than the winner took. */
  #learn(
    { won, entries }: RaceOutcome<DialCandidate, Socket>,
    path: Path | undefined,
    outlooks: readonly PathOutlook[],
  ): void {
    const { remembered, onOutcome, host } = this.#options;
    if (won === undefined || path === undefined) return;
    const answered = new Set([path.name]);
    for (const { candidate, error } of entries) {
      if (candidate.path !== undefined && isAnswer(error)) answered.add(candidate.path.name);
    }
    remembered?.answered(path);
    onOutcome?.(path.name, 'answered', won.tookMs);
    const now = this.#clock.now();
    const silent = new Map<string, Path>();
    for (const { candidate, startedAt, error } of entries) {
      if (candidate.path === undefined || answered.has(candidate.path.name)) continue;
      const waited = now - startedAt;
      const isSilent = error === undefined ? waited > patience(candidate, won.tookMs) : isSilence(error);
      if (isSilent) silent.set(candidate.path.name, candidate.path);
    }
    for (const [name, one] of silent) {
      remembered?.silent(one);
      onOutcome?.(name, 'silent');
    }
    if (silent.size > 0) remembered?.won(host, outlooks, path.name);
  }

  #failure(): ManypathError {
    const failures = this.failures();
    const [first] = failures;
    const own = first !== undefined && isOwn(first.error) ? first.error : undefined;
    if (own !== undefined && failures.every(({ error }) => isOwn(error) && error.code === own.code))
      return own;
    return new ConnectError(this.#target, failures);
  }
}

/** Whether a fresh connection would lose what it sends or is sent, because its packets are too large for the path. */
async function losesLargePackets(
  { outlooks, examineSizes, clock = systemClock }: DialOptions,
  { socket, path, address }: DialledSocket,
): Promise<boolean> {
  if (examineSizes === undefined || path === undefined) return false;
  const before = outlooks().find(outlook => outlook.path.name === path.name);
  const [leg] = info(socket).subflows;
  if (before === undefined || before.takesSmallOnly || leg === undefined) return false;
  const pass = examineSizes(path.name, { address, segmentBytes: leg.segmentSize });
  let timer: Timer | undefined;
  // Many hosts answer no such question: the connection does not wait for long.
  const late = new Promise<undefined>(resolve => {
    timer = clock.after(4 * leg.rttMs + 150, () => resolve(undefined));
  });
  const known = await Promise.race([pass, late]);
  timer?.cancel();
  return known === 'small';
}

/** Remembers answers for the time of one dial: each costs a tenth of a millisecond. */
function askedOnce(askRoute: AskRoute): AskRoute {
  const answers = new Map<string, ReturnType<AskRoute>>();
  return (address, question) => {
    const key = `${address} ${question?.oif ?? ''}`;
    if (!answers.has(key)) answers.set(key, askRoute(address, question));
    return answers.get(key);
  };
}

function asPlain(address: string): DialCandidate {
  return { address, path: undefined, rank: 0, rttMs: undefined };
}

/** How long a path has to answer until it counts as silent, in milliseconds, when another one took `tookMs`. */
function patience({ rttMs }: DialCandidate, tookMs: number): number {
  const own = rttMs === undefined ? 200 : 2 * rttMs + 50;
  return Math.max(own, 1.5 * tookMs);
}

/** Whether an error came from the other side: the path carried it here. */
function isAnswer(error: unknown): boolean {
  return codesOf(error).some(code => code === 'ECONNREFUSED' || code === 'ECONNRESET');
}

function isSilence(error: unknown): boolean {
  return codesOf(error).includes('ETIMEDOUT');
}

function codesOf(error: unknown): string[] {
  const within = error instanceof ConnectError ? error.attempts.map(attempt => attempt.error) : [error];
  return within.flatMap(one => errorCode(one) ?? []);
}

/** What went wrong with one way, without the wrapping of a connection of its own. */
function unwrapped({ address, path }: DialCandidate, error: unknown): FailedAttempt[] {
  const place = path === undefined ? address : `${address} over ${path.name}`;
  if (error instanceof ConnectError) {
    return error.attempts.map(attempt => ({ address: place, error: attempt.error }));
  }
  return [{ address: place, error: error instanceof Error ? error : new Error(String(error)) }];
}

function isOwn(error: unknown): error is ManypathError {
  return ManypathError.is(error) && error.code !== 'MPTCP_SYSTEM_CALL';
}

function pathOfSocket(socket: Socket, outlooks: readonly PathOutlook[]): Path | undefined {
  const local = socket.localAddress && unmappedAddress(socket.localAddress);
  return outlooks.find(({ path }) => path.addresses.some(({ address }) => address === local))?.path;
}

async function resolve(host: string, lookup: Lookup = systemLookup, signal: AbortSignal): Promise<string[]> {
  let found: readonly { address: string; family: number }[];
  const gone = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    found = await Promise.race([lookup(host, { family: 0, signal }), gone]);
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    throw new LookupError(host, cause);
  }
  const usable = found.filter(({ address }) => isIP(address) !== 0);
  if (usable.length === 0) throw new LookupError(host);
  return interleaved(usable.map(({ address }) => address)).slice(0, pathsLimits.dialCandidates);
}

const systemLookup: Lookup = (host, { family }) => dns.lookup(host, { all: true, family });

/** Lets the families take turns, beginning with the resolver's first (RFC 8305 §4), and leaves duplicates out. */
export function interleaved(addresses: readonly string[]): string[] {
  const [first] = addresses;
  if (first === undefined) return [];
  const ours = addresses.filter(address => familyOf(address) === familyOf(first));
  const others = addresses.filter(address => familyOf(address) !== familyOf(first));
  const mixed: string[] = [];
  for (let i = 0; i < Math.max(ours.length, others.length); i++) {
    for (const address of [ours[i], others[i]]) if (address !== undefined) mixed.push(address);
  }
  return [...new Set(mixed)];
}
