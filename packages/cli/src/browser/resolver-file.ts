import { readFileSync } from 'node:fs';

/** What the host's resolver was told, as far as the browser needs it. */
export interface ResolverFile {
  /** Addresses of name servers, in order. */
  readonly nameServers: readonly string[];
  /** Domains that names without a dot are looked up in. */
  readonly searchDomains: readonly string[];
}

/** Reads `/etc/resolv.conf` (resolv.conf(5)); without that file both lists are empty. */
export function readResolverFile(file = '/etc/resolv.conf'): ResolverFile {
  try {
    return parseResolverFile(readFileSync(file, 'utf8'));
  } catch {
    return { nameServers: [], searchDomains: [] };
  }
}

/** As the C library reads it: `search` and `domain` replace each other, the last one counts. */
export function parseResolverFile(text: string): ResolverFile {
  const nameServers: string[] = [];
  let searchDomains: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/[ \t]+/);
    if (keyword === 'nameserver' && values[0] !== undefined) nameServers.push(values[0]);
    if (keyword === 'search') searchDomains = values.filter(value => value !== '.');
    if (keyword === 'domain') searchDomains = values.slice(0, 1);
  }
  return { nameServers, searchDomains };
}
