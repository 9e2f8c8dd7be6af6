import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { ArgumentError } from '../errors.ts';
import { AF_INET, AF_INET6 } from './constants.ts';

/** An address and a port, as the kernel tells them. */
export interface SocketAddress {
  /** IPv4 or IPv6 in its shortest form; an IPv4 address mapped into IPv6 is told as IPv4. */
  address: string;
  port: number;
}

/** `AF_INET` or `AF_INET6` of an IP literal. */
export function familyOf(address: string): number {
  const version = isIP(address);
  if (version === 0) throw new ArgumentError(`${JSON.stringify(address)} is not an IP address`);
  return version === 4 ? AF_INET : AF_INET6;
}

/** `struct sockaddr_in` or `sockaddr_in6` of an IP literal; an IPv6 zone (`%eth0`) becomes the scope id. */
export function encodeSockaddr(address: string, port: number): Uint8Array {
  const family = familyOf(address);
  const bytes = new Uint8Array(family === AF_INET ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, family, true);
  view.setUint16(2, port);
  if (family === AF_INET) {
    bytes.set(address.split('.').map(Number), 4);
    return bytes;
  }
  const [literal = '', zone] = address.split('%');
  bytes.set(ipv6Bytes(literal), 8);
  if (zone !== undefined) view.setUint32(24, scopeId(zone), true);
  return bytes;
}

/** Reads `struct sockaddr_in`, `sockaddr_in6` or a `sockaddr_storage` that holds one; `undefined` for anything else. */
export function decodeSockaddr(
  bytes: Uint8Array,
  offset = 0,
  end = bytes.byteLength,
): SocketAddress | undefined {
  const limit = Math.min(end, bytes.byteLength);
  if (limit < offset + 8) return undefined;
  const family = (bytes[offset] ?? 0) | ((bytes[offset + 1] ?? 0) << 8);
  const port = ((bytes[offset + 2] ?? 0) << 8) | (bytes[offset + 3] ?? 0);
  if (family === AF_INET) return { address: formatIpv4(bytes, offset + 4), port };
  if (family !== AF_INET6 || limit < offset + 24) return undefined;
  return { address: formatIpv6(bytes, offset + 8), port };
}

/** The 16 bytes of an IPv6 literal that `net.isIPv6` accepts, without a zone. */
function ipv6Bytes(literal: string): number[] {
  const [before = '', after] = literal.split('::');
  const head = groups(before);
  const tail = after === undefined ? [] : groups(after);
  return [...head, ...new Array<number>(16 - head.length - tail.length).fill(0), ...tail];
}

function groups(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap(group => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function scopeId(zone: string): number {
  const known = networkInterfaces()[zone]?.find(entry => entry.family === 'IPv6');
  const index = known?.scopeid ?? (/^\d+$/.test(zone) ? Number(zone) : 0);
  if (index === 0)
    throw new ArgumentError(`There is no network device ${JSON.stringify(zone)} with an IPv6 zone`);
  return index;
}

function formatIpv4(bytes: Uint8Array, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/** The text form of RFC 5952: lower case, the longest run of zeroes (of two or more) left out. */
function formatIpv6(bytes: Uint8Array, offset: number): string {
  const words: number[] = [];
  for (let i = offset; i < offset + 16; i += 2) words.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  let best = { start: 0, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (words[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  if (best.start === 0 && best.length === 5 && words[5] === 0xffff) return formatIpv4(bytes, offset + 12);
  const text = (part: number[]): string => part.map(word => word.toString(16)).join(':');
  if (best.length === 1) return text(words);
  return `${text(words.slice(0, best.start))}::${text(words.slice(best.start + best.length))}`;
}
