import type { PathOutlook } from '../outlook.ts';
import { isWilling, transferMs } from './transfer-time.ts';

/** `active`: it carries what there is; `backup`: it is joined, and carries nothing while an active one works. */
export type SubflowRole = 'active' | 'backup';

/** Which path leads a connection, and what every path is for it. A path that is not named has no part in it. */
export interface Roles {
  /** The path that carries short transfers alone; `undefined` when no path is willing. */
  readonly lead: string | undefined;
  readonly of: ReadonlyMap<string, SubflowRole>;
}

/** When a second path pays, as measured by the promotion matrix in `bench/`. */
export interface RoleLimits {
  /** A transfer is taken for at least this long when a lead is chosen, in bytes. */
  shortTransferBytes: number;
  /** A transfer is expected to become so many times as long as it is: few are long, but those are very long. */
  expectedGrowth: number;
  /** Paths whose rates differ by no more than this factor, and whose round trips by no more than the next, join at once. */
  alikeRate: number;
  /** In milliseconds. */
  alikeRttMs: number;
  /** A path below this share of the lead's rate never pays. */
  leastShare: number;
  /** Bytes of one transfer after which another path is promoted at the earliest. */
  promoteAfterBytes: number;
  /**
   * How long the lead alone takes for a transfer before a much slower path is promoted, in milliseconds. What that path has
   * been given when the transfer ends is waited for, up to some hundred milliseconds: a tenth of all at most.
   */
  promoteSlowAfterMs: number;
  /** The same for a path that is faster than the lead and only farther away: what it is given early is not late. */
  promoteFasterAfterBytes: number;
  /** The same for a path that the user wants spared (tier `secondary`). */
  promoteSecondaryAfterBytes: number;
  /** How much sooner another path must be done to take the lead, as a factor. */
  leadMargin: number;
}

export const roleLimits: RoleLimits = {
  shortTransferBytes: 65_536,
  expectedGrowth: 6,
  alikeRate: 0.7,
  alikeRttMs: 5,
  leastShare: 0.15,
  promoteAfterBytes: 131_072,
  promoteSlowAfterMs: 1000,
  promoteFasterAfterBytes: 12_288,
  promoteSecondaryAfterBytes: 4_194_304,
  leadMargin: 0.8,
};

/**
 * Says what each path is for a connection. Nothing is gained by a second path for a transfer that is done before it gets going,
 * and much is lost when what it was given arrives last. So a path joins as backup, and is promoted when the transfer turns
 * out to be long; at once only where the paths are alike.
 *
 * @param outlooks The paths, in the order in which the host prefers them.
 * @param transferredBytes What the longest transfer on the connection has moved so far.
 * @param before What was said last time: a path that was promoted stays so while the transfer lasts.
 */
export function planRoles(
  outlooks: readonly PathOutlook[],
  transferredBytes: number,
  before: Roles = none,
  limits: RoleLimits = roleLimits,
): Roles {
  const candidates = willing(outlooks);
  const lead = chooseLead(candidates, transferredBytes, before.lead, limits);
  if (lead === undefined) return none;
  const of = new Map<string, SubflowRole>();
  for (const outlook of outlooks) {
    if (!isWilling(outlook)) continue;
    const { name } = outlook.path;
    const pays =
      outlook === lead ||
      (candidates.includes(outlook) && isWorth(outlook, lead, transferredBytes, before.of.get(name), limits));
    of.set(name, pays ? 'active' : 'backup');
  }
  return { lead: lead.path.name, of };
}

const none: Roles = { lead: undefined, of: new Map() };

/** What {@link openingWindow} depends on besides the roles. */
export interface OpeningWindowLimits {
  /** How much it is at least, in bytes. With less, a page's objects and what arrives out of order hold each other up. */
  aheadBytes: number;
  /** Bytes of a transfer after which nothing is held back any more. */
  openingBytes: number;
}

export const openingWindowLimits: OpeningWindowLimits = { aheadBytes: 131_072, openingBytes: 1_048_576 };

/**
 * How much the other side may send ahead at the beginning of a transfer when some path is faster than the lead, and only farther
 * away: a kernel gives all it has to the subflows that are active at that moment, by what they carried so far, and takes
 * nothing back while they work. What is not sent ahead is there for the faster path when it joins in and gets going.
 *
 * @returns Bytes; `undefined` when nothing is to be held back.
 */
export function openingWindow(
  outlooks: readonly PathOutlook[],
  { lead: leadName, of }: Roles,
  transferredBytes: number,
  limits: RoleLimits & OpeningWindowLimits = { ...roleLimits, ...openingWindowLimits },
): number | undefined {
  const lead = outlooks.find(({ path }) => path.name === leadName);
  if (lead === undefined || transferredBytes >= limits.openingBytes) return undefined;
  const hasFaster = willing(outlooks).some(
    outlook => of.has(outlook.path.name) && isFaster(outlook, shareOf(outlook, lead), limits),
  );
  if (!hasFaster) return undefined;
  return Math.ceil(Math.max(limits.aheadBytes, 2 * bytesIn(lead, lead.rttMs ?? 0)));
}

/** Paths that do not join one another's transfers at once for their rates and round trips, as far as those are known. */
export function lookUnlike(
  outlooks: readonly PathOutlook[],
  limits: RoleLimits = roleLimits,
): readonly PathOutlook[] {
  const candidates = willing(outlooks);
  const isUnlike = (one: PathOutlook, other: PathOutlook): boolean => {
    const share = shareOf(one, other);
    if (share !== undefined && !isRateAlike(share, limits)) return true;
    const { rttMs } = other;
    return one.rttMs !== undefined && rttMs !== undefined && !isRttAlike(one.rttMs, rttMs, limits);
  };
  return candidates.filter(one => candidates.some(other => isUnlike(one, other) || isUnlike(other, one)));
}

/** Paths that may be active: backup ones only when there is nothing else, dead ones only when all are. */
function willing(outlooks: readonly PathOutlook[]): PathOutlook[] {
  const allowed = outlooks.filter(isWilling);
  const regular = allowed.filter(({ tier }) => tier !== 'backup');
  return regular.length > 0 ? regular : allowed;
}

function chooseLead(
  candidates: readonly PathOutlook[],
  transferredBytes: number,
  leadBefore: string | undefined,
  limits: RoleLimits,
): PathOutlook | undefined {
  const expected = Math.max(limits.shortTransferBytes, transferredBytes * limits.expectedGrowth);
  const firsts = candidates.filter(({ tier }) => tier !== 'secondary');
  const pool = firsts.length > 0 ? firsts : candidates;
  const current = pool.find(({ path }) => path.name === leadBefore) ?? pool[0];
  if (current === undefined) return undefined;
  const time = (outlook: PathOutlook): number => transferMs(outlook, expected, pool);
  const [best = current] = [...pool].sort((left, right) => time(left) - time(right));
  return time(best) < time(current) * limits.leadMargin ? best : current;
}

function isWorth(
  outlook: PathOutlook,
  lead: PathOutlook,
  transferredBytes: number,
  before: SubflowRole | undefined,
  limits: RoleLimits,
): boolean {
  const isSpared = outlook.tier === 'secondary';
  const share = shareOf(outlook, lead);
  if (isTooSlow(share, limits)) return false;
  if (!isSpared && isAlike(outlook, lead, share, limits)) return true;
  if (before === 'active' && transferredBytes > 0) return true;
  if (isFaster(outlook, share, limits)) return transferredBytes >= limits.promoteFasterAfterBytes;
  const least = isSpared ? limits.promoteSecondaryAfterBytes : limits.promoteAfterBytes;
  const isSlow = share !== undefined && share < limits.alikeRate;
  const slow = isSlow ? bytesIn(lead, limits.promoteSlowAfterMs) : 0;
  return transferredBytes >= Math.max(least, slow, lateBytes(outlook, lead));
}

function isTooSlow(share: number | undefined, limits: RoleLimits): boolean {
  return share !== undefined && share < limits.leastShare;
}

function isFaster({ tier }: PathOutlook, share: number | undefined, limits: RoleLimits): boolean {
  return tier !== 'secondary' && share !== undefined && share > 1 / limits.alikeRate;
}

/** Rate of a path as a share of the lead's, by the direction in which it does worse. */
function shareOf(outlook: PathOutlook, lead: PathOutlook): number | undefined {
  const shares = [ratio(outlook.downMbps, lead.downMbps), ratio(outlook.upMbps, lead.upMbps)].filter(
    share => share !== undefined,
  );
  return shares.length === 0 ? undefined : Math.min(...shares);
}

function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined || other <= 0 ? undefined : one / other;
}

function isAlike(
  outlook: PathOutlook,
  lead: PathOutlook,
  share: number | undefined,
  limits: RoleLimits,
): boolean {
  if (share === undefined || outlook.rttMs === undefined || lead.rttMs === undefined) return false;
  return isRateAlike(share, limits) && isRttAlike(outlook.rttMs, lead.rttMs, limits);
}

function isRateAlike(share: number, { alikeRate }: RoleLimits): boolean {
  return share >= alikeRate && share <= 1 / alikeRate;
}

function isRttAlike(one: number, other: number, { alikeRttMs }: RoleLimits): boolean {
  return Math.abs(one - other) <= alikeRttMs;
}

/** What the lead moves while the first byte over the other path is still under way. */
function lateBytes(outlook: PathOutlook, lead: PathOutlook): number {
  if (outlook.rttMs === undefined || lead.rttMs === undefined) return 0;
  return bytesIn(lead, Math.max(0, outlook.rttMs - lead.rttMs));
}

function bytesIn({ downMbps = 0 }: PathOutlook, milliseconds: number): number {
  return (downMbps * 1000 * milliseconds) / 8;
}
