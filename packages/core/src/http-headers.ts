import { concatBytes } from './bytes.ts';
import type { HeaderField } from './http-head.ts';

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

/** The fields that a proxy passes on: all but the hop-by-hop ones and those that Connection names. */
export function endToEndHeaders(headers: readonly HeaderField[]): HeaderField[] {
  const named = new Set(connectionOptions(headers));
  return headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return !hopByHopNames.has(lower) && !named.has(lower);
  });
}

/** The options of the Connection field, in lower case. */
export function connectionOptions(headers: readonly HeaderField[]): string[] {
  return headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(','))
    .map(option => option.trim())
    .filter(option => option !== '');
}

/** User and password of Basic authentication. */
export interface BasicCredentials {
  readonly user: string;
  readonly password: string;
}

/** Reads the value of Authorization or Proxy-Authorization; RFC 7617 §2. Anything but Basic is `undefined`. */
export function parseBasicCredentials(value: string | undefined): BasicCredentials | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(value ?? '')?.[1];
  if (encoded === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(encoded), character => character.charCodeAt(0));
    const text = new TextDecoder('utf-8', { fatal: true }).decode(concatBytes([bytes]));
    const colon = text.indexOf(':');
    return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch {
    return undefined;
  }
}

/** Writes the value of Proxy-Authorization. */
export function formatBasicCredentials({ user, password }: BasicCredentials): string {
  const bytes = new TextEncoder().encode(`${user}:${password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
