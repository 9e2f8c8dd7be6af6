import { isGranted, isGrantHost, isOrigin, type StreamGrant, type StreamWish } from '@manypath/core';

/** What the user allowed for always, in `chrome.storage.local`. */
export const grantsKey = 'streamGrants';
/** Grants that are kept at most. */
const mostGrants = 2000;

/** What the user allowed for always. */
export async function readGrants(): Promise<readonly StreamGrant[]> {
  const stored = (await chrome.storage.local.get(grantsKey))[grantsKey];
  return Array.isArray(stored) ? stored.filter(isGrant) : [];
}

export async function addGrants(added: readonly StreamGrant[]): Promise<void> {
  const kept = (await readGrants()).filter(grant => !added.some(one => isSame(one, grant)));
  await chrome.storage.local.set({ [grantsKey]: [...kept, ...added].slice(-mostGrants) });
}

/** Takes back what was allowed. */
export async function revokeGrant(revoked: StreamGrant): Promise<void> {
  const kept = (await readGrants()).filter(grant => !isSame(grant, revoked));
  await chrome.storage.local.set({ [grantsKey]: kept });
}

/** The grants that the configuration of the gateway has. */
export function grantsIn(config: Readonly<Record<string, unknown>>): readonly StreamGrant[] {
  const { streams } = config;
  if (typeof streams !== 'object' || streams === null || !('allow' in streams)) return [];
  return Array.isArray(streams.allow) ? streams.allow.filter(isGrant) : [];
}

/** The origins whose pages may run programs. */
export function originsOfPrograms(config: Readonly<Record<string, unknown>>): readonly string[] {
  const { streams } = config;
  if (typeof streams !== 'object' || streams === null || !('programs' in streams)) return [];
  const programs: unknown[] = Object.values(streams.programs ?? {});
  return programs.flatMap(program => {
    const { origins } = (program ?? {}) as { origins?: unknown };
    return Array.isArray(origins) ? origins.filter(origin => typeof origin === 'string') : [];
  });
}

/** The grant that a wish falls under. */
export function grantFor(
  grants: readonly StreamGrant[],
  origin: string,
  wish: StreamWish,
): StreamGrant | undefined {
  return grants.find(grant => isGranted(grant, origin, wish));
}

function isSame(one: StreamGrant, other: StreamGrant): boolean {
  return (
    one.origin === other.origin &&
    one.host === other.host &&
    one.port === other.port &&
    (one.local ?? false) === (other.local ?? false)
  );
}

function isGrant(value: unknown): value is StreamGrant {
  if (typeof value !== 'object' || value === null) return false;
  const { origin, host, port } = value as Record<string, unknown>;
  return (
    typeof origin === 'string' &&
    isOrigin(origin) &&
    typeof host === 'string' &&
    isGrantHost(host) &&
    typeof port === 'number'
  );
}
