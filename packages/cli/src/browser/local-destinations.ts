import { cidrContains, parseCidr, parseIpAddress } from '@manypath/core';
import { LocalNameError } from './errors.ts';
import { browserLimits } from './limits.ts';

/**
 * The addresses that Chromium itself counts as loopback or local network (Local Network Access). It must
 * connect to them itself: through a proxy it cannot tell where a request goes, and would let a public page
 * reach what it otherwise guards.
 */
export const localRanges4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15',
] as const;

/** As {@link localRanges4}, for IPv6. */
export const localRanges6 = ['::/127', 'fc00::/7', 'fe80::/10'] as const;

/** Whether an address literal is of loopback or a local network in Chromium's eyes. */
export function isLocalAddress(literal: string): boolean {
  const address = parseIpAddress(literal);
  if (address === undefined) return false;
  return [...localRanges4, ...localRanges6].some(range => {
    const network = parseCidr(range);
    return network !== undefined && cidrContains(network, address);
  });
}

/** Domains that never exist in the public DNS: RFC 6762, 6761, 8375, the `internal` of ICANN, and habits. */
const localDomains = [
  '*.local',
  '*.localhost',
  '*.localdomain',
  '*.lan',
  '*.home.arpa',
  '*.internal',
] as const;

const label = '[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?';
const patternSyntax = new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`);

/**
 * The host names that the browser resolves itself, because they mean something on this network only.
 *
 * Besides every name without a dot these are the domains kept for local use, the search domains of the
 * host, and what the user adds with `--local-name`.
 */
export class LocalNames {
  /** `host.name` or `*.domain`, lower case. */
  readonly patterns: readonly string[];

  /**
   * @param added Patterns of the user: a host name, or `*.domain` for all names below it.
   * @param searchDomains Search domains of the host; those that cannot be taken are left out.
   * @param hosts Names that the hosts file has local addresses for.
   * @throws LocalNameError `MANYPATH_LOCAL_NAME_INVALID` for a pattern of the user
   */
  constructor(
    added: readonly string[] = [],
    searchDomains: readonly string[] = [],
    hosts: readonly string[] = [],
  ) {
    const fromUser = added.map(pattern => {
      const normal = pattern.toLowerCase().replace(/\.$/, '');
      if (!patternSyntax.test(normal) || normal.length > 253) throw new LocalNameError(pattern);
      return normal;
    });
    const fromHost = searchDomains
      .map(domain => `*.${domain.toLowerCase().replace(/\.$/, '')}`)
      .filter(pattern => isSearchable(pattern));
    const all = [...localDomains, ...fromUser, ...fromHost];
    const names = hosts.filter(name => patternSyntax.test(name) && name.length <= 253);
    this.patterns = [...new Set([...[...new Set(all)].slice(0, browserLimits.localNamePatterns), ...names])];
  }

  /** Whether the browser resolves this name itself. `name` is lower case, without a final dot. */
  includes(name: string): boolean {
    if (name === '') return false;
    if (!name.includes('.')) return true;
    return this.patterns.some(pattern =>
      pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern,
    );
  }
}

/** A whole top-level domain as search domain would take everything below it past the gateway. */
function isSearchable(pattern: string): boolean {
  return patternSyntax.test(pattern) && pattern.split('.').length > 2;
}

/** The value of `--proxy-bypass-list` in the quiet namespace: everything local, by address and by name. */
export function bypassForQuietNamespace(names: LocalNames): string {
  return ['<local>', ...names.patterns, ...localRanges4, ...localRanges6].join(';');
}

/**
 * The value of `--proxy-bypass-list` in the host's own namespace. Only this host and what is on its links are
 * left to the browser: a private address behind a router may well be reached over several paths.
 */
export function bypassForHost(names: LocalNames, subnets: readonly string[]): string {
  return ['<local>', ...names.patterns, '0.0.0.0/8', '::/127', ...subnets].join(';');
}
