import type { PathOutlook } from '../outlook.ts';
import { brokenRank, pathRank } from './candidates.ts';

/** What a path carries now, as far as this process knows. */
export interface PathLoad {
  /** Open connections that were given to it. */
  readonly connections: number;
  /** What they receive, in Mbit/s. */
  readonly downMbps: number;
}

const idle: PathLoad = { connections: 0, downMbps: 0 };

/** A path this much slower than the best gets nothing as long as the best has room. */
const tooSlow = 0.3;
/** From this share of its rate on, a path has no room. */
const saturated = 0.8;
/** A site changes its path when another one is this much freer. */
const muchFreer = 3;
/** Round trips that differ by less than about this are alike, in milliseconds. */
const rttGraceMs = 20;

/**
 * Chooses the path that a new connection to `site` begins with: connections are spread over the best paths, in proportion to what
 * those can carry and how quickly they answer, and one site stays on one path, so that a login that is tied to an
 * address holds.
 *
 * @param load What each path carries now, by name.
 * @param previous The path that the site had the last time.
 * @returns The name of a path; `undefined` when there is none to choose from.
 */
export function spread(
  outlooks: readonly PathOutlook[],
  load: ReadonlyMap<string, PathLoad>,
  site: string,
  previous?: string,
): string | undefined {
  const shares = weigh(candidatesOf(outlooks), load);
  const [only] = shares;
  if (shares.length <= 1) return only?.name;
  const freest = Math.min(...shares.map(({ burden }) => burden));
  const isAcceptable = ({ burden }: Share): boolean => burden <= muchFreer * freest;
  const kept = shares.find(({ name }) => name === previous);
  if (kept !== undefined && isAcceptable(kept)) return kept.name;
  return lot(site, shares.filter(isAcceptable));
}

/** The paths that stand best; those for backup and those in trouble only among themselves. */
function candidatesOf(outlooks: readonly PathOutlook[]): readonly PathOutlook[] {
  const ranked = outlooks.flatMap(outlook => {
    const rank = pathRank(outlook, false);
    return rank === undefined || rank >= brokenRank ? [] : [{ outlook, rank }];
  });
  const best = Math.min(...ranked.map(({ rank }) => rank));
  return ranked.filter(({ rank }) => rank === best).map(({ outlook }) => outlook);
}

interface Share {
  readonly name: string;
  /** What it can take, relative to the others. */
  readonly weight: number;
  /** Connections it has, for its weight. */
  readonly burden: number;
}

function weigh(outlooks: readonly PathOutlook[], load: ReadonlyMap<string, PathLoad>): Share[] {
  const known = outlooks.flatMap(({ downMbps }) => downMbps ?? []);
  // What nothing is known of is taken for as good as the others on average.
  const usual = known.length === 0 ? 1 : known.reduce((sum, rate) => sum + rate, 0) / known.length;
  const rateOf = ({ downMbps }: PathOutlook): number => Math.max(downMbps ?? usual, 0.01);
  const best = outlooks.reduce<PathOutlook | undefined>(
    (found, one) => (found === undefined || rateOf(one) > rateOf(found) ? one : found),
    undefined,
  );
  if (best === undefined) return [];
  const carried = load.get(best.path.name)?.downMbps ?? 0;
  const hasRoom = best.downMbps === undefined || carried < saturated * best.downMbps;
  const useful = outlooks.filter(one => !hasRoom || rateOf(one) >= tooSlow * rateOf(best));
  const quickest = Math.min(...useful.flatMap(({ rttMs }) => rttMs ?? []), Number.MAX_VALUE);
  const weighed = useful.map(one => {
    const slowness = one.rttMs === undefined ? 1 : (one.rttMs + rttGraceMs) / (quickest + rttGraceMs);
    return { name: one.path.name, weight: rateOf(one) / slowness };
  });
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
  return weighed.map(({ name, weight }) => {
    const { connections } = load.get(name) ?? idle;
    return { name, weight, burden: connections / weight + startingBurden / total };
  });
}

/** Connections in all that are too few to say that one path is freer than another. */
const startingBurden = 16;

/** Draws one of several by weight, always the same one for the same site (weighted rendezvous hashing). */
function lot(site: string, shares: readonly Share[]): string | undefined {
  let winner: { name: string; score: number } | undefined;
  for (const { name, weight } of shares) {
    const score = -weight / Math.log(fraction(`${site} ${name}`));
    const isBetter =
      winner === undefined || score > winner.score || (score === winner.score && name < winner.name);
    if (isBetter) winner = { name, score };
  }
  return winner?.name;
}

/** A number between 0 and 1, neither included, that looks random: FNV-1a with a final mix (MurmurHash3's). */
function fraction(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}
