import type { StreamWish } from '@manypath/core';

/** Hosts that a page may ask for in one go. */
export const mostWishes = 20;

/** Whether something has the form of what a page may ask for. */
export function isWish(wish: unknown): wish is StreamWish {
  if (typeof wish !== 'object' || wish === null) return false;
  const { host, port, local } = wish as Record<string, unknown>;
  const isPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
  return typeof host === 'string' && isPort && (local === undefined || typeof local === 'boolean');
}

/** Whether something has the form of a list of them; an empty one is for a program. */
export function isList(wishes: unknown): wishes is readonly StreamWish[] {
  return Array.isArray(wishes) && wishes.length <= mostWishes && wishes.every(isWish);
}
