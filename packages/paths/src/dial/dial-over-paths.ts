import { isIP, type Socket } from 'node:net';
import {
  type Clock,
  formatAuthority,
  mappedAddress,
  systemClock,
  type Timer,
  unmappedAddress,
} from '@manypath/core';
import {
  AddressRefusedError,
  ConnectError,
  ConnectTimeoutError,
  connect,
  connectFailure,
  type FailedAttempt,
  info,
  resetSocket,
  resolveHost,
} from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import { smallSegment } from '../health/packet-sizes.ts';
import { pathsLimits } from '../limits.ts';
import type { PathOutlook } from '../outlook.ts';
import { type DialCandidate, delayBetween, familyOf, orderCandidates } from './candidates.ts';
import type { DialledSocket, DialOptions } from './dial-options.ts';
import { NoPathError } from './errors.ts';
import { type AskRoute, leadsOut, sourceFor } from './leads-out.ts';
import { type RaceEntry, type RaceOutcome, racePaths } from './path-race.ts';
import { silentPaths } from './silent-paths.ts';

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
  const { timeout = pathsLimits.dialMs, clock = systemClock } = options;
  const host = options.host.replace(/^\[(.*)\]$/, '$1');
  const target = formatAuthority({ host, port: options.port });
  const over = new AbortController();
  let timedOut: ConnectTimeoutError | undefined;
  const onAbort = (): void => over.abort(options.signal?.reason);
  const giveUp = (): void => {
    timedOut = new ConnectTimeoutError(target, timeout, []);
    over.abort(timedOut);
  };
  if (options.signal?.aborted) throw options.signal.reason;
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = timeout > 0 ? clock.after(timeout, giveUp) : undefined;
  let dial: Dial | undefined;
  try {
    const addresses =
      isIP(host) === 0
        ? await resolveHost(host, {
            lookup: options.lookup,
            most: pathsLimits.dialCandidates,
            signal: over.signal,
          })
        : [host];
    const asked = host === options.host ? options : { ...options, host };
    for (let tries = 1; ; tries++) {
      dial = new Dial(asked, target, addresses, clock);
      const dialled = await dial.run(over.signal);
      if (tries === pathsLimits.dialTries || !(await losesLargePackets(options, dialled))) return dialled;
      // Now that it is known, another path is better, or smaller segments are.
      resetSocket(dialled.socket);
    }
  } catch (error) {
    if (timedOut === undefined || error !== timedOut) throw error;
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
    if (outcome.won === undefined) throw connectFailure(this.#target, this.failures());
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
    remembered?.answered(path);
    onOutcome?.(path.name, 'answered', won.tookMs);
    const silent = silentPaths(entries, { path, tookMs: won.tookMs, now: this.#clock.now() });
    for (const one of silent) {
      remembered?.silent(one);
      onOutcome?.(one.name, 'silent');
    }
    if (silent.length > 0) remembered?.won(host, outlooks, path.name);
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

/** What went wrong with one way, without the wrapping of a connection of its own. */
function unwrapped({ address, path }: DialCandidate, error: unknown): FailedAttempt[] {
  const place = path === undefined ? address : `${address} over ${path.name}`;
  if (error instanceof ConnectError) {
    return error.attempts.map(attempt => ({ address: place, error: attempt.error }));
  }
  return [{ address: place, error: error instanceof Error ? error : new Error(String(error)) }];
}

function pathOfSocket(socket: Socket, outlooks: readonly PathOutlook[]): Path | undefined {
  const local = socket.localAddress && unmappedAddress(socket.localAddress);
  return outlooks.find(({ path }) => path.addresses.some(({ address }) => address === local))?.path;
}
