import { isIP, isIPv4 } from 'node:net';
import { AF_INET, AF_INET6 } from '../kernel/constants.ts';
import { decodeSockaddr, encodeSockaddr } from '../kernel/sockaddr.ts';
import { NetlinkArgumentError, NetlinkMalformedError } from './errors.ts';

/** The 4 or 16 bytes of an IP literal. Zones (`%eth0`) are refused: netlink names devices apart. */
export function ipBytes(address: string): Uint8Array {
  // Asked for each connection, and most are of this family.
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number);
  if (isIP(address) === 0 || address.includes('%')) {
    throw new NetlinkArgumentError(`${JSON.stringify(address)} is not an IP address`);
  }
  return encodeSockaddr(address, 0).slice(8, 24);
}

/** The shortest text of 4 or 16 bytes (RFC 5952). */
export function ipText(bytes: Uint8Array): string {
  if (bytes.byteLength === 4) return bytes.join('.');
  if (bytes.byteLength !== 16) {
    throw new NetlinkMalformedError(`An IP address of ${bytes.byteLength} bytes`);
  }
  const sockaddr = new Uint8Array(28);
  sockaddr[0] = AF_INET6;
  sockaddr.set(bytes, 8);
  const text = decodeSockaddr(sockaddr)?.address ?? '';
  return isIPv4(text) ? `::ffff:${text}` : text;
}

/** As `ipText`, but an IPv4 address mapped into IPv6 is told as IPv4: so sockets speak of their peers. */
export function peerText(bytes: Uint8Array): string {
  const text = ipText(bytes);
  return text.startsWith('::ffff:') && text.includes('.') ? text.slice(7) : text;
}

/** `4` or `6`, as this package names families; the kernel has numbers of its own for them. */
export type IpFamily = 4 | 6;

export function familyNumber(family: IpFamily): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** The family of a kernel number, or `undefined` for what is no IP (bridges, MPLS, multicast routing). */
export function familyOfNumber(number: number): IpFamily | undefined {
  return number === AF_INET ? 4 : number === AF_INET6 ? 6 : undefined;
}

export function familyOfAddress(address: string): IpFamily {
  return ipBytes(address).byteLength === 4 ? 4 : 6;
}

/** An address with the length of its network part, e.g. `10.0.0.0/8`. */
export interface Prefix {
  family: IpFamily;
  bytes: Uint8Array;
  length: number;
}

/** Reads `10.0.0.0/8` or `2001:db8::/32`; an address alone stands for itself. */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf('/');
  const bytes = ipBytes(slash < 0 ? text : text.slice(0, slash));
  const most = bytes.byteLength * 8;
  const digits = slash < 0 ? String(most) : text.slice(slash + 1);
  const length = Number(digits);
  if (!/^\d{1,3}$/.test(digits) || length > most) {
    throw new NetlinkArgumentError(`${JSON.stringify(text)} is not an address with a prefix length`);
  }
  return { family: most === 32 ? 4 : 6, bytes, length };
}

/** The text of a prefix; without an address it is the one that holds everything (`0.0.0.0/0`). */
export function prefixText(family: IpFamily, address: string | undefined, length: number): string {
  return `${address ?? (family === 4 ? '0.0.0.0' : '::')}/${length}`;
}
