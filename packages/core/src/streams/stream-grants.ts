import { isHostName } from '../authority.ts';
import { addressScope, parseIpAddress } from '../ip-address.ts';

/** What the user allowed pages of an origin: streams to a host, or to all hosts below a domain, on one port. */
export interface StreamGrant {
  /** Of the page, e.g. `https://app.example`. */
  readonly origin: string;
  /** A host name, an address, or `*.domain` for all names below it. */
  readonly host: string;
  readonly port: number;
  /** Whether the host may be this computer, or in a network that only this computer reaches. Default false. */
  readonly local?: boolean;
}

/** What a page asks for. */
export interface StreamWish {
  readonly host: string;
  readonly port: number;
  /** The page says itself that the host may be a local one. */
  readonly local?: boolean;
}

/** Where a host is that is not just anywhere on the internet. */
export type LocalPlace = 'this computer' | 'a private network' | 'a metadata service';

/**
 * Where a host is, as far as its name or address tells; `undefined`: on the internet, or so it seems. What a name leads to is
 * looked at again where it is dialled.
 */
export function localPlaceOf(host: string): LocalPlace | undefined {
  const name = plainHost(host);
  const address = parseIpAddress(name);
  if (address !== undefined) {
    const scope = addressScope(name);
    if (scope === 'public') return undefined;
    if (scope === 'loopback' || scope === 'unspecified') return 'this computer';
    return scope === 'metadata' ? 'a metadata service' : 'a private network';
  }
  if (name === 'localhost' || name.endsWith('.localhost')) return 'this computer';
  if (metadataNames.has(name)) return 'a metadata service';
  const isLocal = !name.includes('.') || localDomains.some(domain => name.endsWith(domain));
  return isLocal ? 'a private network' : undefined;
}

/** Whether what a page asks for needs the user's consent to local hosts. */
export function needsLocal({ host, local = false }: StreamWish): boolean {
  return local || localPlaceOf(host) !== undefined;
}

/** Whether a grant is for what a page of an origin asks for. */
export function isGranted(grant: StreamGrant, origin: string, wish: StreamWish): boolean {
  if (grant.origin !== origin || grant.port !== wish.port) return false;
  if (needsLocal(wish) && grant.local !== true) return false;
  return fits(plainHost(grant.host), plainHost(wish.host));
}

/** Whether a text can be the host of a grant: not all hosts there are, and no top-level domain. */
export function isGrantHost(text: string): boolean {
  const host = plainHost(text);
  if (parseIpAddress(host) !== undefined) return true;
  if (!host.startsWith('*.')) return isHostName(host);
  const domain = host.slice(2);
  return isHostName(domain) && domain.includes('.') && parseIpAddress(domain) === undefined;
}

/** Whether a text is the origin of a page: scheme, host, and port where it is not the scheme's own. */
export function isOrigin(text: string): boolean {
  return text.length <= 512 && /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(text);
}

const localDomains = ['.local', '.internal', '.home.arpa', '.lan', '.intranet'];
const metadataNames: ReadonlySet<string> = new Set(['metadata.google.internal', 'metadata']);

/** A name without the dot at its end, an address without brackets and zone. */
function plainHost(host: string): string {
  return host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/%.*$/, '')
    .replace(/\.$/, '');
}

function fits(pattern: string, host: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === host;
  return host.endsWith(pattern.slice(1)) && parseIpAddress(host) === undefined;
}
