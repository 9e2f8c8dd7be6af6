import { cidrContains, formatIpAddress, parseCidr, parseIpAddress } from '@manypath/core';

const mapped = parseCidr('::ffff:0:0/96');

/**
 * What a client is counted by: its IPv4 address, or its /64 network, since whoever has one IPv6 address has
 * all of those.
 */
export function peerKey(remoteAddress: string | undefined): string {
  const address = parseIpAddress((remoteAddress ?? '').replace(/%.*$/, ''));
  if (address === undefined) return '';
  if (address.family === 4) return formatIpAddress(address.bytes);
  if (mapped !== undefined && cidrContains(mapped, address)) return formatIpAddress(address.bytes.slice(12));
  const network = address.bytes.slice().fill(0, 8);
  return `${formatIpAddress(network)}/64`;
}

/** An address in its plain form: IPv4 also when it came as a v4-mapped one. */
export function plainAddress(text: string): string {
  const address = parseIpAddress(text.replace(/%.*$/, ''));
  if (address === undefined) return text;
  const carried = address.family === 6 && mapped !== undefined && cidrContains(mapped, address);
  return formatIpAddress(carried ? address.bytes.slice(12) : address.bytes);
}
