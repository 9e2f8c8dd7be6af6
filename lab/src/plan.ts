import { LabOptionError } from './errors.ts';
import { labLimits } from './limits.ts';

/** The five hosts of a lab, by what they stand for. */
export const roles = ['client', 'router', 'relay', 'origin', 'originMptcp'] as const;
export type Role = (typeof roles)[number];

/** Where each server sits: subnet 10.77.N.0/24 and fd77:0:0:N::/64, router at .1, host at .2. */
const servers = { relay: 101, origin: 102, originMptcp: 103 } as const;
export type ServerRole = keyof typeof servers;
export const serverRoles = Object.keys(servers) as ServerRole[];

/** The full names of a lab's namespaces, as `ip netns list` shows them. */
export type Namespaces = { readonly [role in Role]: string };

/** `mp<name>-client`, `mp<name>-origin-mptcp` and so on. */
export function namespacesOf(lab: string): Namespaces {
  return {
    client: `mp${lab}-client`,
    router: `mp${lab}-router`,
    relay: `mp${lab}-relay`,
    origin: `mp${lab}-origin`,
    originMptcp: `mp${lab}-origin-mptcp`,
  };
}

/** One subnet between the router and one host. */
export interface Subnet {
  /** The router's addresses. */
  gateway: string;
  gateway6: string;
  /** The host's addresses. */
  address: string;
  address6: string;
}

/** Prefix lengths of every subnet in the lab. */
export const prefix = { v4: 24, v6: 64 } as const;

/** The subnet of link number `index` (1..100); `host` changes when the link is renumbered. */
export function linkSubnet(index: number, host = 2): Subnet {
  return subnet(index, host);
}

/** The subnet of a server. */
export function serverSubnet(role: ServerRole): Subnet {
  return subnet(servers[role], 2);
}

function subnet(number: number, host: number): Subnet {
  return {
    gateway: `10.77.${number}.1`,
    gateway6: `fd77:0:0:${number}::1`,
    address: `10.77.${number}.${host}`,
    address6: `fd77:0:0:${number}::${host}`,
  };
}

/** The names that every namespace of the lab resolves, in the format of hosts(5). */
export function hostsFile(): string {
  const names = { relay: 'relay.lab', origin: 'origin.lab', originMptcp: 'origin-mptcp.lab' } as const;
  const lines = ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback'];
  for (const role of serverRoles) {
    const { address, address6 } = serverSubnet(role);
    lines.push(`${address} ${names[role]}`, `${address6} ${names[role]}`);
  }
  return `${lines.join('\n')}\n`;
}

/** How a link behaves. Every value holds for each direction of its own. */
export interface LinkShape {
  /** Rate towards the client in Mbit/s (10^6 bits of IP packets and Ethernet heads); `null` = as fast as it goes. */
  rateMbit: number | null;
  /** Rate from the client in Mbit/s; `null` = as fast as it goes. Default: as `rateMbit`. */
  uploadMbit: number | null;
  /** One-way delay in milliseconds: it adds twice this to the round trip. Default 0. */
  delayMs: number;
  /** How much a packet's delay may differ from `delayMs`, in milliseconds. Default 0. */
  jitterMs: number;
  /** Packets lost at random, in percent. Default 0. */
  lossPercent: number;
}

/** One link of the client. */
export interface LinkOptions extends Partial<LinkShape> {
  /** Up to ten of a-z, 0-9 and -, beginning with a letter. */
  name: string;
  /** What the client calls the interface, for example `wlan0`. Default: the link's name. */
  device?: string;
  /** Metric of the client's default route over it; `null` for none. Default: 100 × its number. */
  metric?: number | null;
}

/** The rate of a link of `Lab.create()` that names none, in Mbit/s. */
export const defaultRateMbit = 30;

/** Checks a shape and fills what it leaves out from `base`. */
export function completeShape(given: Partial<LinkShape>, base: LinkShape): LinkShape {
  const rateMbit = given.rateMbit === undefined ? base.rateMbit : given.rateMbit;
  const symmetric = base.uploadMbit === base.rateMbit;
  const uploadMbit =
    given.uploadMbit !== undefined ? given.uploadMbit : symmetric ? rateMbit : base.uploadMbit;
  const shape: LinkShape = {
    rateMbit,
    uploadMbit,
    delayMs: given.delayMs ?? base.delayMs,
    jitterMs: given.jitterMs ?? base.jitterMs,
    lossPercent: given.lossPercent ?? base.lossPercent,
  };
  for (const rate of [rateMbit, uploadMbit]) {
    if (rate !== null) requireRange('rateMbit', rate, 0.05, 100_000);
  }
  requireRange('delayMs', shape.delayMs, 0, 10_000);
  requireRange('jitterMs', shape.jitterMs, 0, 10_000);
  requireRange('lossPercent', shape.lossPercent, 0, 100);
  return shape;
}

/** A link that nothing slows down. */
export const plainShape: LinkShape = {
  rateMbit: null,
  uploadMbit: null,
  delayMs: 0,
  jitterMs: 0,
  lossPercent: 0,
};

function requireRange(key: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) {
    throw new LabOptionError(`${key} must lie between ${low} and ${high}, not ${value}`);
  }
}

/** Throws unless `name` can name a link, and so the router's interfaces made from it. */
export function requireLinkName(name: string): void {
  if (!/^[a-z][a-z0-9-]{0,9}$/.test(name)) {
    throw new LabOptionError(`"${name}" cannot name a link: up to ten of a-z, 0-9 and -, a letter first`);
  }
}

/** Throws unless `device` can name an interface of the client. */
export function requireDeviceName(device: string): void {
  if (
    !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(device) ||
    device === 'lo' ||
    device === 'all' ||
    device === 'default'
  ) {
    throw new LabOptionError(`"${device}" cannot name an interface`);
  }
}

/** Throws unless `name` can name a lab: its namespaces and files are made from it. */
export function requireLabName(name: string): void {
  if (!/^[a-z0-9][a-z0-9_-]{0,23}$/.test(name)) {
    throw new LabOptionError(`"${name}" cannot name a lab: up to 24 of a-z, 0-9, - and _`);
  }
}

/** Throws when a client would get more links than it has subnets for. */
export function requireLinkIndex(index: number): void {
  if (index > labLimits.links) throw new LabOptionError(`a lab has room for ${labLimits.links} links`);
}

/** The namespace of the processes that delay packets; only labs that need them have it. */
export function wireNamespaceOf(lab: string): string {
  return `mp${lab}-wire`;
}
