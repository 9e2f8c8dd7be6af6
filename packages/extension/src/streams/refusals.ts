import { isOrigin, needsLocal, type StreamWish } from '@manypath/core';

/** Origins that are never to be asked about, in `chrome.storage.local`. */
export const denialsKey = 'streamDenials';
/** What was refused since the browser was started, in `chrome.storage.session`: it outlives the worker. */
export const refusalsKey = 'streamRefusals';

/** What the user does not want pages of an origin to have, until the browser is started again. */
export interface StreamRefusal {
  readonly origin: string;
  readonly wishes: readonly StreamWish[];
  /** How often the user has said no. */
  readonly times: number;
}

/** After so many times an origin is not asked about any more. */
const mostTimes = 3;
/** Origins that are kept at most, of each kind; and wishes of one. */
const mostOrigins = 500;
const mostWishes = 200;

/** Whether the user has said no to something of this already, or too often to be asked again. */
export function isRefused(
  refusals: readonly StreamRefusal[],
  origin: string,
  wishes: readonly StreamWish[],
): boolean {
  const refusal = refusals.find(one => one.origin === origin);
  if (refusal === undefined) return false;
  if (refusal.times >= mostTimes) return true;
  return wishes.some(wish => refusal.wishes.some(one => isSameWish(one, wish)));
}

export async function readRefusals(): Promise<readonly StreamRefusal[]> {
  const stored = (await chrome.storage.session.get(refusalsKey))[refusalsKey];
  return Array.isArray(stored) ? (stored as StreamRefusal[]) : [];
}

/** Notes that the user has said no once more. */
export async function addRefusal(origin: string, wishes: readonly StreamWish[]): Promise<void> {
  const known = await readRefusals();
  const before = known.find(one => one.origin === origin);
  const kept = (before?.wishes ?? []).filter(wish => !wishes.some(one => isSameWish(one, wish)));
  const refusal: StreamRefusal = {
    origin,
    wishes: [...kept, ...wishes].slice(-mostWishes),
    times: (before?.times ?? 0) + 1,
  };
  const others = known.filter(one => one.origin !== origin);
  await chrome.storage.session.set({ [refusalsKey]: [...others, refusal].slice(-mostOrigins) });
}

/** Has pages of an origin ask again. */
export async function forgetRefusal(origin: string): Promise<void> {
  const kept = (await readRefusals()).filter(one => one.origin !== origin);
  await chrome.storage.session.set({ [refusalsKey]: kept });
}

/** Origins that are never to be asked about. */
export async function readDenials(): Promise<readonly string[]> {
  const stored = (await chrome.storage.local.get(denialsKey))[denialsKey];
  if (!Array.isArray(stored)) return [];
  return stored.filter(origin => typeof origin === 'string' && isOrigin(origin));
}

export async function addDenial(origin: string): Promise<void> {
  const kept = (await readDenials()).filter(one => one !== origin);
  await chrome.storage.local.set({ [denialsKey]: [...kept, origin].slice(-mostOrigins) });
}

/** Takes "never" back. */
export async function revokeDenial(origin: string): Promise<void> {
  await chrome.storage.local.set({
    [denialsKey]: (await readDenials()).filter(one => one !== origin),
  });
}

/** Whether two wishes are for the same. */
export function isSameWish(one: StreamWish, other: StreamWish): boolean {
  const isHost = one.host.toLowerCase() === other.host.toLowerCase();
  return isHost && one.port === other.port && needsLocal(one) === needsLocal(other);
}
