import { constants } from 'node:os';

/** Where two names share a number, the one that Linux manual pages use. */
const preferred = ['EAGAIN', 'EOPNOTSUPP', 'EDEADLK'];

const names = new Map<number, string>();
for (const [name, value] of Object.entries(constants.errno)) {
  if (!name.startsWith('WSA') && !names.has(value)) names.set(value, name);
}
for (const name of preferred) {
  const value = (constants.errno as Record<string, number>)[name];
  if (value !== undefined) names.set(value, name);
}
/** Not in Node's table, but the kernel answers with them. */
const linuxOnly: Record<number, string> = { 19: 'ENODEV', 524: 'ENOTSUPP' };

/** `EINVAL` for 22 and so on; `ERRNO_n` for a number without a name. Negative numbers (netlink) are taken too. */
export function errnoName(errno: number): string {
  const value = Math.abs(errno);
  return names.get(value) ?? linuxOnly[value] ?? `ERRNO_${value}`;
}

/** The number of an errno name on this platform, or `undefined`. */
export function errnoNumber(name: string): number | undefined {
  for (const [value, known] of names) if (known === name) return value;
  return (constants.errno as Record<string, number>)[name];
}
