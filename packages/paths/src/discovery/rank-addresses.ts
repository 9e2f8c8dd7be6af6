import { addressScope } from '@manypath/core';
import type { DeviceAddress } from '@manypath/mptcp';

/**
 * Puts the addresses of one interface into the order in which new connections should begin from them, and drops those that
 * cannot be used: link-local ones, and ones whose duplicate detection runs or failed.
 *
 * As RFC 6724 §5 has it for a destination out in the world: a global address before a unique local one (rule 2), a preferred one
 * before a deprecated one (rule 3), a temporary one before the one it hides (rule 7; RFC 8981), and of two temporary ones the
 * one that lasts longer. IPv4 and IPv6 are not compared; the one that was there first stays before.
 *
 * A deprecated address serves the connections that have it. It is dropped only when nothing else of its family is left, since a path
 * must not begin anything from it.
 */
export function rankAddresses(addresses: readonly DeviceAddress[]): DeviceAddress[] {
  const usable = addresses.filter(isUsable);
  const begins = (family: 4 | 6): boolean =>
    usable.some(address => address.family === family && !address.flags.deprecated);
  return usable
    .filter(({ family }) => begins(family))
    .map((address, position) => ({ address, position }))
    .sort(
      (left, right) =>
        left.address.family - right.address.family ||
        compare(left.address, right.address) ||
        left.position - right.position,
    )
    .map(({ address }) => address);
}

/** An optimistic address may be used while its duplicate detection runs (RFC 4429). */
function isUsable({ scope, flags }: DeviceAddress): boolean {
  return scope === 'global' && !flags.duplicate && (!flags.tentative || flags.optimistic);
}

function compare(left: DeviceAddress, right: DeviceAddress): number {
  return (
    Number(left.flags.deprecated) - Number(right.flags.deprecated) ||
    Number(isUniqueLocal(left)) - Number(isUniqueLocal(right)) ||
    Number(left.flags.secondary) - Number(right.flags.secondary) ||
    Number(right.flags.temporary) - Number(left.flags.temporary) ||
    longest(right) - longest(left)
  );
}

/** fc00::/7 (RFC 4193). */
function isUniqueLocal({ address, family }: DeviceAddress): boolean {
  return family === 6 && addressScope(address) === 'private';
}

function longest({ preferredSeconds, flags }: DeviceAddress): number {
  return flags.temporary ? preferredSeconds : 0;
}
