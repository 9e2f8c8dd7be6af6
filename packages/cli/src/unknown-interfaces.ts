import { RouteSocket } from '@manypath/mptcp';

/**
 * What to say of interfaces that are named and are not there: a name may be misspelt, or of a stick that is not plugged in.
 *
 * @returns `undefined` when all are there, or when the kernel does not tell.
 */
export function unknownInterfaces(
  names: readonly string[],
  present = presentInterfaces(),
): string | undefined {
  if (present === undefined) return undefined;
  const missing = names.filter(name => !present.includes(name));
  if (missing.length === 0) return undefined;
  const there = present.filter(name => name !== 'lo');
  const known =
    there.length === 0
      ? 'there is none at all'
      : `there ${there.length === 1 ? 'is' : 'are'} ${there.join(', ')}`;
  return `no interface is called ${missing.join(' or ')} (${known})`;
}

function presentInterfaces(): readonly string[] | undefined {
  try {
    const routes = RouteSocket.open();
    try {
      return routes.links().map(({ name }) => name);
    } finally {
      routes.close();
    }
  } catch {
    return undefined;
  }
}
