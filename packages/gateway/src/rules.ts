import { isIP } from 'node:net';
import { type Cidr, cidrContains, parseCidr, parseIpAddress } from '@manypath/core';

/** What the user wants of connections to some hosts. */
export interface Rule {
  /** A host name, `*.example.org` for all below it, an address, a network like `10.0.0.0/8`, or `*`. */
  readonly host: string;
  /** `tcp`: straight, without Multipath TCP. */
  readonly route?: 'straight' | 'relay' | 'tcp';
  /** Names of the paths that may be used, or kinds such as `kind:wifi`, when the connection goes straight. */
  readonly paths?: readonly string[];
}

/** Finds the rule for a host: the first one that fits. */
export class Rules {
  readonly #rules: readonly { readonly rule: Rule; readonly fits: (host: string) => boolean }[];

  /** What was found for hosts that came lately: each connection asks several times. */
  readonly #known = new Map<string, { readonly rule: Rule | undefined }>();

  /** @param bypass Hosts that never go to the relay, in the same words; they come first. */
  constructor(rules: readonly Rule[] = [], bypass: readonly string[] = []) {
    const all = [...bypass.map((host): Rule => ({ host, route: 'straight' })), ...rules];
    this.#rules = all.map(rule => ({ rule, fits: matcher(rule.host) }));
  }

  for(host: string): Rule | undefined {
    if (this.#rules.length === 0) return undefined;
    const known = this.#known.get(host);
    if (known !== undefined) return known.rule;
    const name = plain(host);
    const rule = this.#rules.find(({ fits }) => fits(name))?.rule;
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(host, { rule });
    return rule;
  }
}

/** Hosts whose rules are remembered. */
const mostKnown = 1_000;

function matcher(pattern: string): (host: string) => boolean {
  const wanted = plain(pattern);
  if (wanted === '*') return () => true;
  const network = networkOf(wanted);
  if (network !== undefined) {
    return host => {
      const address = parseIpAddress(host.replace(/%.*$/, ''));
      return address !== undefined && cidrContains(network, address);
    };
  }
  if (wanted.startsWith('*.')) return host => isIP(host) === 0 && host.endsWith(wanted.slice(1));
  return host => host === wanted;
}

function networkOf(text: string): Cidr | undefined {
  if (text.includes('/')) return parseCidr(text);
  const address = parseIpAddress(text);
  return address && parseCidr(`${text}/${address.family === 4 ? 32 : 128}`);
}

function plain(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '');
}
