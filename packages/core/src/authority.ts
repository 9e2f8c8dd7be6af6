import { ManypathError } from './errors.ts';
import { parseIpAddress } from './ip-address.ts';

/** A host and a port, as in the target of CONNECT. */
export interface Authority {
  /** A name or an IP address; IPv6 without brackets. */
  readonly host: string;
  /** 1 to 65535; 0 where a listener may take any free port. */
  readonly port: number;
}

/** Something that should have been `host:port` is not. */
export class AuthorityInvalidError extends ManypathError {
  constructor(text: string, reason: string) {
    // Quoted as JSON, so that a text of a stranger's cannot forge lines of a log.
    super(
      'MANYPATH_AUTHORITY_INVALID',
      `${JSON.stringify(text.slice(0, 100))} is no host and port: ${reason}`,
      {
        hint: 'write host:port, e.g. example.org:443, 192.0.2.1:80 or [2001:db8::1]:443',
      },
    );
  }
}

const longestName = 253;
/** A name of the longest kind with its final dot, a colon and a port. */
const longestAuthority = longestName + '.:65535'.length;
/** RFC 1035 §2.3.4, but names in use have underscores and hyphens anywhere, and browsers open them. */
const label = /^[A-Za-z0-9_-]{1,63}$/;

/**
 * Reads `host:port`; RFC 3986 §3.2 without user information.
 *
 * @param text `example.org:443`, `192.0.2.1:80`, `[2001:db8::1]:443`; with `defaultPort` the port may be missing.
 * @throws AuthorityInvalidError `MANYPATH_AUTHORITY_INVALID`
 */
export function parseAuthority(text: string, defaultPort?: number): Authority {
  if (text.length > longestAuthority) throw new AuthorityInvalidError(text, 'it is too long');
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(text);
  if (match === null) throw new AuthorityInvalidError(text, 'an IPv6 address needs brackets');
  const [, bracketed, plain, port] = match;
  return { host: hostOf(text, bracketed, plain), port: portOf(text, port, defaultPort) };
}

/**
 * Reads where to listen: `host:port`, a host alone, or a port alone (`8443` and `:8443`), which is not taken for an address.
 *
 * @param fallback What is not said is as here.
 * @throws AuthorityInvalidError `MANYPATH_AUTHORITY_INVALID`
 */
export function parseListen(text: string, fallback: Authority): Authority {
  const port = /^:?(\d+)$/.exec(text)?.[1];
  if (port !== undefined) return { host: fallback.host, port: portOf(text, port, undefined) };
  return parseAuthority(text, fallback.port);
}

/** Writes `host:port`, with brackets around an IPv6 address. */
export function formatAuthority({ host, port }: Authority): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function hostOf(text: string, bracketed: string | undefined, plain: string | undefined): string {
  if (bracketed !== undefined) {
    if (parseIpAddress(bracketed)?.family === 6) return bracketed;
    throw new AuthorityInvalidError(text, 'what is in brackets is no IPv6 address');
  }
  if (plain === undefined || plain === '') throw new AuthorityInvalidError(text, 'the host is missing');
  if (!isHostName(plain)) throw new AuthorityInvalidError(text, 'the host is neither a name nor an address');
  return plain;
}

/**
 * Whether a text can be looked up or dialled: labels of letters, digits, hyphens and underscores; RFC 1123 §2.1.
 *
 * IPv4 addresses count, and so do their other spellings (`127.1`, `0x7f000001`), which the C library looks up as
 * addresses: who guards a network has to look at what a name leads to.
 */
export function isHostName(text: string): boolean {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  return name.length <= longestName && name.split('.').every(part => label.test(part));
}

function portOf(text: string, port: string | undefined, defaultPort: number | undefined): number {
  if (port === undefined) {
    if (defaultPort === undefined) throw new AuthorityInvalidError(text, 'the port is missing');
    return defaultPort;
  }
  const value = /^\d{1,5}$/.test(port) ? Number(port) : Number.NaN;
  // Port 0 is how a listener asks for any free port; a dialler is refused by the kernel.
  if (value >= 0 && value <= 65_535) return value;
  throw new AuthorityInvalidError(text, 'the port is no number from 1 to 65535');
}
