import type { Path } from '../discovery/path.ts';
import type { PathOutlook } from '../outlook.ts';

/** One way to try: an address, and the path it is dialled over. */
export interface DialCandidate {
  readonly address: string;
  /** `undefined`: as the routing table has it. */
  readonly path: Path | undefined;
  /** How the path stands, see {@link pathRank}; plain candidates have the rank of a healthy primary path. */
  readonly rank: number;
  /** Round trip of the path where it is known, in milliseconds. */
  readonly rttMs: number | undefined;
  /** Larger packets than those of 576 bytes are lost on the path. */
  readonly takesSmallOnly?: boolean | undefined;
}

/** What speaks for and against paths besides their outlook. */
export interface Leanings {
  /** Names of paths to begin with, best first, as far as they are as good as the others. */
  readonly preferred?: readonly (string | undefined)[];
  /** Whether a path was silent a moment ago, when another one answered. */
  readonly isDoubted?: (path: Path) => boolean;
}

/** From this rank on a path costs more than it should: it is for the time when no other answers. */
export const backupRank = 4;
/** From this rank on a path is believed not to work. */
export const brokenRank = 8;

/**
 * How a path stands among others, lower is better; `undefined`: it is not to be used at all.
 *
 * 0 primary · 1 secondary · 2, 3 the same in trouble (degraded, doubted) · 4 backup · 5 backup in trouble · 8… believed
 * broken (dead, captive), by tier.
 */
export function pathRank({ tier, health }: PathOutlook, isDoubted: boolean): number | undefined {
  const tierRank = { primary: 0, secondary: 1, backup: backupRank, never: undefined }[tier];
  if (tierRank === undefined) return undefined;
  if (health === 'dead' || health === 'captive') return brokenRank + tierRank;
  const troubled = health === 'degraded' || isDoubted;
  return tierRank + (troubled ? (tier === 'backup' ? 1 : 2) : 0);
}

/** Paths that may be used, best first; those that stand alike keep their order, except for the preferred ones. */
export function rankPaths(
  outlooks: readonly PathOutlook[],
  { preferred = [], isDoubted = () => false }: Leanings = {},
): { outlook: PathOutlook; rank: number }[] {
  const preference = (name: string): number => {
    const position = preferred.indexOf(name);
    return position < 0 ? preferred.length : position;
  };
  return outlooks
    .flatMap(outlook => {
      const rank = pathRank(outlook, isDoubted(outlook.path));
      return rank === undefined ? [] : [{ outlook, rank }];
    })
    .sort(
      (left, right) =>
        left.rank - right.rank || preference(left.outlook.path.name) - preference(right.outlook.path.name),
    );
}

/**
 * The order in which ways are tried. Paths that stand alike take turns, so that the second try differs in its path from
 * the first, and in its address too where there are several: whichever of the two is at fault, it is not both.
 *
 * @param addresses In the order of their families' turns (RFC 8305 §4), without duplicates.
 */
export function orderCandidates(
  addresses: readonly string[],
  outlooks: readonly PathOutlook[],
  leanings: Leanings = {},
): DialCandidate[] {
  const ranked = rankPaths(outlooks, leanings);
  const candidates: DialCandidate[] = [];
  for (const rank of new Set(ranked.map(one => one.rank))) {
    const group = ranked
      .filter(one => one.rank === rank)
      .map(({ outlook }) => ({ outlook, addresses: addresses.filter(reaches(outlook.path)) }))
      .filter(one => one.addresses.length > 0);
    const rounds = Math.max(0, ...group.map(one => one.addresses.length));
    for (let round = 0; round < rounds; round++) {
      for (const [turn, { outlook, addresses: own }] of group.entries()) {
        const address = round < own.length ? own[(round + turn) % own.length] : undefined;
        if (address === undefined) continue;
        const { path, rttMs, takesSmallOnly } = outlook;
        candidates.push({ address, path, rank, rttMs, ...(takesSmallOnly ? { takesSmallOnly } : {}) });
      }
    }
  }
  return candidates;
}

/** Whether a path has an address of the family that is to be dialled. */
function reaches(path: Path): (address: string) => boolean {
  const families = new Set(path.addresses.map(({ family }) => family));
  return address => families.has(familyOf(address));
}

/** The family of an IP literal. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

export interface Staggering {
  /** The longest wait between two tries, in milliseconds (RFC 8305 §5: 250). */
  readonly attemptDelayMs: number;
  /** The shortest, for paths whose round trip is known, in milliseconds. */
  readonly leastDelayMs: number;
  /** How long paths that are not for backup have to answer before a backup path is tried, in milliseconds. */
  readonly backupDelayMs: number;
}

/**
 * How long to wait for an answer to `last` before `next` is tried, in milliseconds. A path whose round trip is known need not
 * be waited for as long as an unknown one.
 */
export function delayBetween(last: DialCandidate, next: DialCandidate, staggering: Staggering): number {
  const { attemptDelayMs, leastDelayMs, backupDelayMs } = staggering;
  // The routing table's way is for the case that paths are not as they seem.
  if (last.path !== undefined && next.path === undefined) return Math.max(backupDelayMs, attemptDelayMs);
  const inGoodStanding = last.rank < 2;
  if (inGoodStanding && next.rank >= backupRank) return Math.max(backupDelayMs, attemptDelayMs);
  if (last.rttMs === undefined) return attemptDelayMs;
  const patient = 4 * last.rttMs + 50;
  return Math.min(attemptDelayMs, Math.max(Math.min(leastDelayMs, attemptDelayMs), patient));
}
