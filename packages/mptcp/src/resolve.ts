import { promises as dns } from 'node:dns';
import { isIP } from 'node:net';
import { LookupError } from './errors.ts';

/** Resolves a name to addresses, in the order they should be tried; `dns.promises.lookup(host, { all: true })` fits. */
export type Lookup = (
  host: string,
  options: { family: 0 | 4 | 6; signal: AbortSignal },
) => Promise<readonly { address: string; family: number }[]>;

/** What {@link resolveHost} wants to know. */
export interface ResolveOptions {
  /** Addresses of this family only. Default 0: both. */
  readonly family?: 0 | 4 | 6;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
  /** How many addresses are taken at most. */
  readonly most: number;
  /** Gives up, whatever `lookup` does then. */
  readonly signal: AbortSignal;
}

/**
 * The addresses of a name in the order to try them, families in turns.
 *
 * @throws LookupError `MPTCP_LOOKUP_FAILED`, there is none
 * @throws the reason of `signal`
 */
export async function resolveHost(
  host: string,
  { family = 0, lookup = systemLookup, most, signal }: ResolveOptions,
): Promise<string[]> {
  signal.throwIfAborted();
  let found: readonly { address: string; family: number }[];
  const givenUp = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  // Also a resolver that throws at once is one of the two that are waited for: else nobody would hear of `givenUp`.
  const answered = (async () => lookup(host, { family, signal }))();
  try {
    found = await Promise.race([answered, givenUp]);
  } catch (cause) {
    signal.throwIfAborted();
    throw new LookupError(host, cause);
  }
  const usable = found.filter(
    entry => isIP(entry.address) !== 0 && (family === 0 || isIP(entry.address) === family),
  );
  if (usable.length === 0) throw new LookupError(host);
  return interleaveFamilies(usable).slice(0, most);
}

const systemLookup: Lookup = (host, { family }) => dns.lookup(host, { all: true, family });

/**
 * Alternates the families of a resolver's answer, beginning with the one it put first (RFC 8305 §4, with a First
 * Address Family Count of 1), and leaves duplicates out.
 */
export function interleaveFamilies(addresses: readonly { address: string; family: number }[]): string[] {
  const first = addresses[0]?.family;
  const ours = addresses.filter(entry => entry.family === first);
  const others = addresses.filter(entry => entry.family !== first);
  const mixed: string[] = [];
  for (let i = 0; i < Math.max(ours.length, others.length); i++) {
    for (const entry of [ours[i], others[i]]) if (entry !== undefined) mixed.push(entry.address);
  }
  return [...new Set(mixed)];
}
