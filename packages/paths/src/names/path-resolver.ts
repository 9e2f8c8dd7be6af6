import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { type Clock, errorCode, isPublicAddress, systemClock } from '@manypath/core';
import type { Lookup } from '@manypath/mptcp';
import { delayBetween } from '../dial/candidates.ts';
import type { AskRoute } from '../dial/leads-out.ts';
import { type RaceOutcome, racePaths } from '../dial/path-race.ts';
import type { WinnerMemory } from '../dial/winner-memory.ts';
import { pathsLimits } from '../limits.ts';
import type { PathOutlook } from '../outlook.ts';
import { askServer, type NameAnswer } from './ask-server.ts';
import { DnsAnswerError, NameUnknownError } from './errors.ts';
import { NameCache } from './name-cache.ts';
import { isBelow, NameFiles, type NamePlaces, plainName } from './name-files.ts';
import { bySystem, type LookupCandidate, planLookup } from './plan-lookup.ts';

type SystemLookup = (
  host: string,
  family: 0 | 4 | 6,
) => Promise<readonly { address: string; family: number }[]>;

export interface PathResolverOptions {
  readonly outlooks: () => readonly PathOutlook[];
  /** Shared with the dial: a path over which no server answers is not begun with, and the other way round. */
  readonly remembered?: WinnerMemory | undefined;
  readonly askRoute?: AskRoute | undefined;
  /** Told which path carried an answer, and which did not. */
  readonly onOutcome?: ((path: string, outcome: 'answered' | 'silent') => void) | undefined;
  /** Default: those of this system. */
  readonly places?: NamePlaces | undefined;
  readonly systemLookup?: SystemLookup | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Looks names up over whichever path answers first, each with the servers of its own network, so that a link that is up and
 * carries nothing holds no lookup up. Names that mean something on this machine or its network only, and all names where there
 * is no choice of path, are left to the system's resolver.
 */
export class PathResolver {
  readonly #options: PathResolverOptions;
  readonly #clock: Clock;
  readonly #files: NameFiles;
  readonly #cache: NameCache;

  constructor(options: PathResolverOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#files = new NameFiles(this.#clock, options.places);
    this.#cache = new NameCache(this.#clock);
  }

  /**
   * Fits `connect` and `dialOverPaths`.
   *
   * @throws NameUnknownError `MANYPATH_NAME_UNKNOWN`
   * @throws DnsAnswerError `MANYPATH_NAME_LOOKUP_FAILED`
   * @throws what `dns.lookup` throws
   */
  readonly lookup: Lookup = async (host, { family }) => {
    if (isIP(host) !== 0) return [{ address: host, family: isIP(host) }];
    const inHosts = (await this.#files.inHosts(host)).map(address => ({ address, family: isIP(address) }));
    const wanted = inHosts.filter(found => family === 0 || found.family === family);
    if (wanted.length > 0) return wanted;
    const { addresses } = await this.#cache.get(keyOf(host, family), () => this.#ask(host, family));
    return addresses;
  };

  /** As of `NameFiles`. */
  noteHosts(): Promise<void> {
    return this.#files.noteHosts();
  }

  /** As of `NameFiles`. */
  hasChangedInHosts(host: string): Promise<boolean> {
    return this.#files.hasChangedInHosts(host);
  }

  /** Whether the hosts file has a name. */
  async isInHosts(host: string): Promise<boolean> {
    return (await this.#files.inHosts(host)).length > 0;
  }

  /**
   * What the names of this machine say of a host, which go before the public DNS: the hosts file, and private addresses that the
   * system's resolver knows for names below the domains of its networks (search domains, split DNS).
   *
   * @returns Addresses; none when only the public DNS knows the name, or nobody.
   */
  async ownAddresses(host: string): Promise<readonly string[]> {
    const inHosts = await this.#files.inHosts(host);
    if (inHosts.length > 0 || !(await this.#files.isInOwnDomain(host))) return inHosts;
    const addresses = await this.addressesHere(host);
    return addresses.some(address => !isPublicAddress(address)) ? addresses : [];
  }

  /** What is known here of a host within a moment: where a relay knows better, nobody is to wait for it. */
  async addressesHere(host: string): Promise<readonly string[]> {
    const overdue = new AbortController();
    const nothing = new Promise<readonly []>(resolve => {
      overdue.signal.addEventListener('abort', () => resolve([]), { once: true });
    });
    const timer = this.#clock.after(pathsLimits.nameHereMs, () => overdue.abort());
    const found = this.lookup(host, { family: 0, signal: overdue.signal }).catch(() => []);
    const addresses = (await Promise.race([found, nothing])).map(({ address }) => address);
    timer.cancel();
    return addresses;
  }

  /** Forgets every answer: the network changed. */
  forget(): void {
    this.#cache.forget();
    this.#files.forget();
  }

  /** Forgets what one name led to: it is not to be reached there any more. */
  forgetName(host: string): void {
    for (const family of [0, 4, 6] as const) this.#cache.forgetOne(keyOf(host, family));
    this.#files.forget();
  }

  async #ask(host: string, family: 0 | 4 | 6): Promise<NameAnswer> {
    const outlooks = this.#options.outlooks().filter(({ tier }) => tier !== 'never');
    if (outlooks.length < 2) return this.#askSystem(host, family);
    const settings = await this.#files.settings();
    if (isLocalName(host) || (await this.#files.isInOwnDomain(host))) return this.#askSystem(host, family);
    const { remembered, askRoute } = this.#options;
    const own = outlooks.map(
      async ({ path }) => [path.index, await this.#files.serversOf(path.index)] as const,
    );
    const knowledge = { servers: settings.servers, ofPath: new Map(await Promise.all(own)) };
    const isDoubted = remembered?.isDoubted.bind(remembered);
    const candidates = planLookup(outlooks, knowledge, isDoubted ? { isDoubted } : {}, askRoute);
    const families = family === 0 ? familiesOf(outlooks) : [family];
    return this.#race(host, family, families, candidates.slice(0, pathsLimits.dialCandidates));
  }

  async #race(
    host: string,
    family: 0 | 4 | 6,
    families: readonly (4 | 6)[],
    candidates: readonly LookupCandidate[],
  ): Promise<NameAnswer> {
    const giveUp = new AbortController();
    const timer = this.#clock.after(pathsLimits.nameMs, () =>
      giveUp.abort(new DnsAnswerError(host, 'no answer came')),
    );
    try {
      const race = racePaths<LookupCandidate, NameAnswer | NameUnknownError>({
        candidates,
        start: ({ server }, signal) =>
          server === undefined
            ? this.#askSystem(host, family).catch(asAnswer)
            : askServer(server, host, families, signal).catch(asAnswer),
        discard: () => {},
        delay: (last, next) => staggering(last, next, candidates.includes(bySystem)),
        clock: this.#clock,
        signal: giveUp.signal,
      });
      const outcome = await race.outcome;
      this.#learn(outcome);
      if (outcome.won === undefined) {
        if (candidates.includes(bySystem)) throw outcome.entries.find(({ error }) => error)?.error;
        // Nothing of ours worked; the system may know another way.
        return await this.#askSystem(host, family);
      }
      if (outcome.won.result instanceof NameUnknownError) throw outcome.won.result;
      return outcome.won.result;
    } finally {
      timer.cancel();
    }
  }

  /** A lookup says less of a path than a connection: the server may be what is slow. */
  #learn({ won, entries }: RaceOutcome<LookupCandidate, unknown>): void {
    const { remembered, onOutcome } = this.#options;
    const answered = won?.candidate.path;
    if (won === undefined || answered === undefined) return;
    remembered?.answered(answered);
    onOutcome?.(answered.name, 'answered');
    const now = this.#clock.now();
    const silent = new Set<string>();
    for (const { candidate, startedAt, error } of entries) {
      const { path } = candidate;
      if (path === undefined || path.name === answered.name || silent.has(path.name)) continue;
      if (error !== undefined || now - startedAt < Math.max(pathsLimits.attemptDelayLeastMs, won.tookMs))
        continue;
      silent.add(path.name);
      remembered?.seemsSilent(path);
      onOutcome?.(path.name, 'silent');
    }
  }

  async #askSystem(host: string, family: 0 | 4 | 6): Promise<NameAnswer> {
    const ask = this.#options.systemLookup ?? systemLookup;
    const found = await ask(host, family).catch((error: unknown) => {
      throw errorCode(error) === 'ENOTFOUND' ? new NameUnknownError(host) : error;
    });
    const addresses = found.flatMap(({ address }) => {
      const version = isIP(address);
      return version === 4 || version === 6 ? [{ address, family: version as 4 | 6 }] : [];
    });
    if (addresses.length === 0) throw new NameUnknownError(host);
    return { addresses, ttlSeconds: pathsLimits.nameSystemSeconds };
  }
}

function keyOf(host: string, family: number): string {
  return `${family} ${host.toLowerCase()}`;
}

const systemLookup: SystemLookup = (host, family) => dns.lookup(host, { all: true, family });

/** That there is no such name is an answer, which ends the race. */
function asAnswer(error: unknown): NameUnknownError {
  if (error instanceof NameUnknownError) return error;
  throw error;
}

/** Once the system's resolver was silent, its servers are asked in quick succession: a good part of the time is gone. */
function staggering(last: LookupCandidate, next: LookupCandidate, isAfterSystem: boolean): number {
  const { attemptDelayMs, attemptDelayLeastMs, backupDelayMs } = pathsLimits;
  const way = { address: '', path: last.path, rank: last.rank, rttMs: last.rttMs };
  const following = { address: '', path: next.path, rank: next.rank, rttMs: next.rttMs };
  if (last.server === undefined) return attemptDelayMs;
  return delayBetween(way, following, {
    attemptDelayMs: isAfterSystem ? attemptDelayLeastMs : attemptDelayMs,
    leastDelayMs: attemptDelayLeastMs,
    backupDelayMs,
  });
}

/** Names that the public DNS knows nothing of, or that mean something else there. */
function isLocalName(host: string): boolean {
  const name = plainName(host);
  return !name.includes('.') || isBelow(name, localDomains);
}

/** RFC 6761, RFC 6762, RFC 8375, and what ICANN set aside for private use. */
const localDomains = ['localhost', 'local', 'home.arpa', 'internal'];

function familiesOf(outlooks: readonly PathOutlook[]): (4 | 6)[] {
  const families = outlooks.flatMap(({ path }) => path.addresses.map(({ family }) => family));
  return [...new Set(families)];
}
