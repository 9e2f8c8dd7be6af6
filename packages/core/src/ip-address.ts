/** An IP address in bytes, network order. */
export interface IpAddress {
  readonly family: 4 | 6;
  /** 4 or 16 bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Eight groups of which the last two are written as IPv4. */
const longestText = '0000:0000:0000:0000:0000:0000:255.255.255.255'.length;

/** Who can be reached at an address, as a guard sees it. */
export type AddressScope =
  | 'loopback'
  | 'link-local'
  | 'private'
  | 'metadata'
  | 'unspecified'
  | 'multicast'
  | 'reserved'
  | 'public';

/**
 * Reads an IP address in its ordinary forms; RFC 4291 §2.2 for IPv6, without a zone.
 *
 * Octal, hexadecimal and shortened IPv4 forms are refused: the C library takes them for other addresses than
 * they seem.
 */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (text.length > longestText) return undefined;
  const bytes = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  return bytes && { family: bytes.length === 4 ? 4 : 6, bytes };
}

/** Writes an IP address; IPv6 as RFC 5952 recommends. */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, group) => wordAt(bytes, group * 2));
  if (groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12).join('.')}`;
  }
  const run = longestZeroRun(groups);
  const hex = groups.map(group => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

/**
 * Who an address leads to. Looks through the IPv6 forms that carry an IPv4 address: v4-mapped, v4-compatible, NAT64, 6to4
 * and Teredo.
 *
 * @param text An address; anything else counts as `reserved`, so that a guard refuses it.
 */
export function addressScope(text: string): AddressScope {
  const zone = text.indexOf('%');
  const address = parseIpAddress(zone === -1 ? text : text.slice(0, zone));
  if (address === undefined) return 'reserved';
  return address.family === 4 ? scope4(address.bytes) : scope6(address.bytes);
}

/** Whether anybody on the internet may be asked to dial this address. */
export function isPublicAddress(text: string): boolean {
  return addressScope(text) === 'public';
}

/** A network: all addresses that share the first bits. */
export interface Cidr extends IpAddress {
  readonly prefixLength: number;
}

/** Reads `192.0.2.0/24` or a single address. */
export function parseCidr(text: string): Cidr | undefined {
  const [host = '', length, ...rest] = text.split('/');
  const address = parseIpAddress(host);
  if (address === undefined || rest.length > 0) return undefined;
  const longest = address.bytes.length * 8;
  if (length === undefined) return { ...address, prefixLength: longest };
  if (!/^\d{1,3}$/.test(length) || Number(length) > longest) return undefined;
  return { ...address, prefixLength: Number(length) };
}

/** Whether an address lies in a network; addresses of the other family never do. */
export function cidrContains(network: Cidr, address: IpAddress): boolean {
  if (network.family !== address.family) return false;
  const whole = network.prefixLength >> 3;
  for (let position = 0; position < whole; position++) {
    if (network.bytes[position] !== address.bytes[position]) return false;
  }
  const rest = network.prefixLength & 7;
  if (rest === 0) return true;
  const shift = 8 - rest;
  return (network.bytes[whole] ?? 0) >> shift === (address.bytes[whole] ?? 0) >> shift;
}

function parseIpv4(text: string): Uint8Array<ArrayBuffer> | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  if (!parts.every(part => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return Uint8Array.from(parts, Number);
}

function parseIpv6(text: string): Uint8Array<ArrayBuffer> | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(groups.flatMap(group => [group >> 8, group & 0xff]));
}

/** The 16-bit groups between colons; the last may be an IPv4 address when nothing follows it. */
function groupsOf(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [position, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const embedded = mayEndInIpv4 && position === parts.length - 1 ? parseIpv4(part) : undefined;
    if (embedded === undefined) return undefined;
    groups.push(wordAt(embedded, 0), wordAt(embedded, 2));
  }
  return groups;
}

function wordAt(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}

type ScopeTable = readonly (readonly [Cidr, AddressScope])[];

/** The first row that contains an address tells its scope. */
function table(rows: readonly (readonly [string, AddressScope])[]): ScopeTable {
  return rows.flatMap(([text, scope]) => {
    const network = parseCidr(text);
    return network === undefined ? [] : [[network, scope] as const];
  });
}

/**
 * IANA IPv4 Special-Purpose Address Registry, and the metadata services of large clouds: most of them at the first
 * address, containers and pods of Amazon's, Scaleway, Tencent, Alibaba, Oracle (Classic), Azure's WireServer.
 */
const scopes4 = table([
  ['169.254.169.254', 'metadata'],
  ['169.254.170.2', 'metadata'],
  ['169.254.170.23', 'metadata'],
  ['169.254.42.42', 'metadata'],
  ['169.254.0.23', 'metadata'],
  ['100.100.100.200', 'metadata'],
  ['192.0.0.192', 'metadata'],
  ['168.63.129.16', 'metadata'],
  ['0.0.0.0/8', 'unspecified'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local'],
  ['10.0.0.0/8', 'private'],
  ['172.16.0.0/12', 'private'],
  ['192.168.0.0/16', 'private'],
  ['100.64.0.0/10', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'reserved'],
  ['192.88.99.0/24', 'reserved'],
  ['198.18.0.0/15', 'reserved'],
  ['198.51.100.0/24', 'reserved'],
  ['203.0.113.0/24', 'reserved'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
]);

/**
 * IANA IPv6 Special-Purpose Address Registry; only 2000::/3 is handed out as public. Metadata services, in order: Amazon
 * (instances, pods), Google, Oracle, Scaleway, Akamai, Alibaba, OpenStack.
 */
const scopes6 = table([
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['fd00:ec2::254', 'metadata'],
  ['fd00:ec2::23', 'metadata'],
  ['fd20:ce::254', 'metadata'],
  ['fd00:c1::a9fe:a9fe', 'metadata'],
  ['fd00:42::42', 'metadata'],
  ['fd00:a9fe:a9fe::1', 'metadata'],
  ['fd00:100::100:200', 'metadata'],
  ['fe80::a9fe:a9fe', 'metadata'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'private'],
  ['fc00::/7', 'private'],
  // A translator of the network's own: where in the address it keeps the IPv4 one is its own affair; RFC 8215.
  ['64:ff9b:1::/48', 'private'],
  ['ff00::/8', 'multicast'],
  ['2001:db8::/32', 'reserved'],
  ['3fff::/20', 'reserved'],
  ['2001::/23', 'reserved'],
  ['2000::/3', 'public'],
]);

/** Where IPv6 forms keep the IPv4 address that the packet ends at. */
const carriers = [
  { prefix: parseCidr('::ffff:0:0/96'), offset: 12, inverted: false },
  { prefix: parseCidr('::ffff:0:0:0/96'), offset: 12, inverted: false },
  { prefix: parseCidr('64:ff9b::/96'), offset: 12, inverted: false },
  { prefix: parseCidr('2002::/16'), offset: 2, inverted: false },
  { prefix: parseCidr('2001::/32'), offset: 12, inverted: true },
] as const;

function scope4(bytes: Uint8Array<ArrayBuffer>): AddressScope {
  return lookUp(scopes4, { family: 4, bytes }) ?? 'public';
}

function scope6(bytes: Uint8Array<ArrayBuffer>): AddressScope {
  const address = { family: 6, bytes } as const;
  for (const { prefix, offset, inverted } of carriers) {
    if (prefix === undefined || !cidrContains(prefix, address)) continue;
    const embedded = bytes.slice(offset, offset + 4);
    return scope4(inverted ? embedded.map(byte => byte ^ 0xff) : embedded);
  }
  return lookUp(scopes6, address) ?? compatible(bytes) ?? 'reserved';
}

/** The deprecated ::a.b.c.d form; RFC 4291 §2.5.5.1. */
function compatible(bytes: Uint8Array<ArrayBuffer>): AddressScope | undefined {
  return bytes.subarray(0, 12).every(byte => byte === 0) ? scope4(bytes.slice(12)) : undefined;
}

function lookUp(rows: ScopeTable, address: IpAddress): AddressScope | undefined {
  return rows.find(([network]) => cidrContains(network, address))?.[1];
}
