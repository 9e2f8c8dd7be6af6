import { decodeLatin1, encodeLatin1, encodeText } from './bytes.ts';
import { type HeaderField, isWritable, listedValues } from './http-fields.ts';

/** Fields that speak to the next hop only; RFC 9110 §7.6.1, and the old habits of proxies and browsers. */
const hopByHopNames = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Fields that Connection may not take away, since they are never about one connection (RFC 9110 §7.6.1): without them a
 * message would go elsewhere, or end elsewhere for the next hop.
 */
const endToEndNames = new Set(['content-length', 'host']);

/** The fields that a proxy passes on: all but the hop-by-hop ones and those that Connection names. */
export function endToEndHeaders(headers: readonly HeaderField[]): HeaderField[] {
  const named = new Set(connectionOptions(headers).filter(option => !endToEndNames.has(option)));
  return headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return !hopByHopNames.has(lower) && !named.has(lower);
  });
}

/** Fields that mean nothing, or too much, behind a body; RFC 9110 §6.5.1. */
const notBehindBodies = new Set(['content-length', 'host', 'authorization', 'set-cookie']);

/** The fields behind a body that a proxy passes on. */
export function passableTrailers(fields: readonly HeaderField[]): HeaderField[] {
  return endToEndHeaders(fields).filter(
    field => !notBehindBodies.has(field[0].toLowerCase()) && isWritable(field),
  );
}

/** The trailer section of a body in chunks, without the empty line at its end; RFC 9112 §7.1.2. */
export function encodeTrailers(fields: readonly HeaderField[]): string {
  return passableTrailers(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** The options of the Connection field, in lower case. */
export function connectionOptions(headers: readonly HeaderField[]): string[] {
  return listedValues(headers, 'connection').map(option => option.toLowerCase());
}

/** User and password of Basic authentication. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads the value of Authorization or Proxy-Authorization; RFC 7617 §2. The user ends at the first colon.
 *
 * @returns `undefined` for anything but Basic, for what is not UTF-8, and for control characters.
 */
export function parseBasicCredentials(value: string | undefined): BasicCredentials | undefined {
  if (value === undefined || value.length > longestCredentials) return undefined;
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(value)?.[1];
  const text = encoded === undefined ? undefined : decodeBase64Text(encoded);
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon === -1 || controls.test(text)) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Writes the value of Proxy-Authorization. The user must not hold a colon. */
export function formatBasicCredentials({ user, password }: BasicCredentials): string {
  return `Basic ${btoa(decodeLatin1(encodeText(`${user}:${password}`)))}`;
}

/** Longer than any secret; a bound of its own, because the heads of HTTP/2 are not read by this room. */
const longestCredentials = 4096;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 7617 §2 has none of them in user or password
const controls = /[\u0000-\u001f\u007f]/;

function decodeBase64Text(encoded: string): string | undefined {
  try {
    const bytes = encodeLatin1(atob(encoded));
    return bytes && new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
