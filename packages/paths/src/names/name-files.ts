import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { addressScope, type Clock, parseIpAddress } from '@manypath/core';
import { pathsLimits } from '../limits.ts';

/** Where a system keeps what it knows of names. */
export interface NamePlaces {
  readonly resolvConf: string;
  readonly hosts: string;
  /** Folders with a file for each interface that may name domains whose names its network knows (split DNS). */
  readonly domains?: readonly string[];
  /** Files that may name the servers of an interface, by its index: the first that names any counts. */
  readonly ofInterface: (index: number) => readonly string[];
}

export const systemNamePlaces: NamePlaces = {
  resolvConf: '/etc/resolv.conf',
  hosts: '/etc/hosts',
  domains: ['/run/systemd/resolve/netif', '/run/systemd/netif/links'],
  ofInterface: index => [
    `/run/systemd/resolve/netif/${index}`,
    `/run/systemd/netif/links/${index}`,
    `/run/NetworkManager/devices/${index}`,
  ],
};

/** What resolv.conf(5) says. */
export interface ResolverSettings {
  /** Addresses of servers in their order. */
  readonly servers: readonly string[];
  /** Domains in which names mean something here. */
  readonly searchDomains: readonly string[];
}

/** Reads the files, and believes what they said for a moment. */
export class NameFiles {
  readonly #places: NamePlaces;
  readonly #clock: Clock;
  #hosts: { readonly text: string; readonly names: HostsNames } | undefined;
  /** What the hosts file said when that was noted, and the names of which it says something else by now. */
  #noted: HostsNames | undefined;
  #changed: { readonly names: HostsNames; readonly found: ReadonlySet<string> } | undefined;
  readonly #read = new Map<string, { found: Promise<FoundText>; until: number }>();

  constructor(clock: Clock, places: NamePlaces = systemNamePlaces) {
    this.#clock = clock;
    this.#places = places;
  }

  async settings(): Promise<ResolverSettings> {
    return parseResolvConf(await this.#text(this.#places.resolvConf));
  }

  /** Addresses that /etc/hosts has for a name, in its order; for names without an entry none. */
  async inHosts(name: string): Promise<readonly string[]> {
    return (await this.#namesOfHosts()).get(plainName(name)) ?? [];
  }

  /** What the hosts file says now is what {@link hasChangedInHosts} compares with. */
  async noteHosts(): Promise<void> {
    this.#noted = await this.#namesOfHosts();
  }

  /**
   * Whether the hosts file leads a name elsewhere than when that was noted, as it does a few names: when it does more than
   * `hostsChanged` of the limits, some list was put in and no hand wrote them.
   */
  async hasChangedInHosts(name: string): Promise<boolean> {
    const names = await this.#namesOfHosts();
    if (this.#noted === undefined) return false;
    if (this.#changed?.names !== names) this.#changed = { names, found: changedNames(this.#noted, names) };
    const { found } = this.#changed;
    return found.size <= pathsLimits.hostsChanged && found.has(plainName(name));
  }

  async #namesOfHosts(): Promise<HostsNames> {
    const text = await this.#text(this.#places.hosts);
    if (this.#hosts?.text !== text) this.#hosts = { text, names: parseHosts(text) };
    return this.#hosts.names;
  }

  /** Whether a name is below a domain that only the networks of this machine may know. */
  async isInOwnDomain(name: string): Promise<boolean> {
    const { searchDomains } = await this.settings();
    return isBelow(plainName(name), [...searchDomains, ...(await this.#domainsOfInterfaces())]);
  }

  /** What was read is read again the next time. */
  forget(): void {
    this.#read.clear();
  }

  async #domainsOfInterfaces(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const folder of this.#places.domains ?? []) {
      const names = (await this.#text(folder)).split('\n').filter(Boolean);
      const texts = names.slice(0, mostInterfaces).map(name => this.#text(join(folder, name)));
      for (const text of await Promise.all(texts)) found.push(...parseInterfaceDomains(text));
    }
    return found;
  }

  /** The name servers that the network of an interface told it; empty when nothing tells. */
  async serversOf(index: number): Promise<readonly string[]> {
    for (const place of this.#places.ofInterface(index)) {
      const servers = parseInterfaceServers(await this.#text(place));
      if (servers.length > 0) return servers;
    }
    return [];
  }

  async #text(place: string): Promise<string> {
    const known = this.#read.get(place);
    if (known !== undefined && known.until > this.#clock.now()) return (await known.found).text;
    const found = read(place, await known?.found);
    if (this.#read.size > mostTexts) this.#read.clear();
    this.#read.set(place, { found, until: this.#clock.now() + pathsLimits.nameFilesMs });
    return (await found).text;
  }
}

type HostsNames = ReadonlyMap<string, readonly string[]>;

function changedNames(before: HostsNames, now: HostsNames): Set<string> {
  const found = [...now].filter(([name, addresses]) => before.get(name)?.join() !== addresses.join());
  return new Set(found.map(([name]) => name));
}

/** Interfaces whose domains are asked for. */
const mostInterfaces = 64;
/** Files and folders that are remembered. */
const mostTexts = 256;
/** A file that was written so short a time ago may be written again without looking newer, in milliseconds. */
const unsettledMs = 100;

/** What a file held, and how the file looked then. */
interface FoundText {
  readonly text: string;
  /** `undefined` while that tells nothing. */
  readonly look: string | undefined;
}

/**
 * What a file holds, or the names in a folder; nothing when it is not there, may not be read, or is no file of settings. Lists against
 * advertisements in the hosts file have megabytes: what looks as it did is not read again.
 */
async function read(place: string, before: FoundText | undefined): Promise<FoundText> {
  try {
    const found = await stat(place);
    const isSettled = Date.now() - found.mtimeMs > unsettledMs;
    const look = isSettled ? `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}` : undefined;
    if (look !== undefined && before?.look === look) return before;
    if (found.isDirectory()) return { text: (await readdir(place)).join('\n'), look };
    if (found.size > pathsLimits.nameFileBytes) return { text: '', look };
    return { text: await readFile(place, 'utf8'), look };
  } catch {
    return { text: '', look: undefined };
  }
}

export function parseResolvConf(text: string): ResolverSettings {
  const servers: string[] = [];
  let searchDomains: string[] = [];
  for (const line of text.split('\n')) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (word === 'nameserver' && rest[0] !== undefined) servers.push(...serverAddress(rest[0]));
    // The last of either line counts.
    if (word === 'search' || word === 'domain') {
      searchDomains = rest.map(domain => domain.toLowerCase().replace(/^\.|\.$/g, '')).filter(Boolean);
    }
  }
  return { servers, searchDomains };
}

/** systemd-resolved, systemd-networkd and NetworkManager write `KEY=server server …`, each with a key of its own. */
export function parseInterfaceServers(text: string): string[] {
  const servers: string[] = [];
  for (const line of text.split('\n')) {
    const words = /^(?:SERVERS|DNS|dns|nameservers?|domain_name_servers)=(.*)$/.exec(line.trim())?.[1];
    if (words !== undefined) servers.push(...words.split(/[\s,;]+/).flatMap(serverAddress));
  }
  return [...new Set(servers)];
}

/** The address in `ADDRESS`, `ADDRESS#name`, `ADDRESS%device`, `IPv4:53` or `[IPv6]:53`; none when it is not one. */
function serverAddress(word: string): string[] {
  const bare = word
    .replace(/#.*$/, '')
    .replace(/%.*$/, '')
    .replace(/^\[(.*)\](?::53)?$/, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):53$/, '$1');
  const scope = parseIpAddress(bare) === undefined ? undefined : addressScope(bare);
  const isServer = scope !== undefined && scope !== 'unspecified' && scope !== 'multicast';
  return isServer ? [bare] : [];
}

/** Domains that systemd-resolved and systemd-networkd were told of: for searching, and (`~`) for routing queries only. */
export function parseInterfaceDomains(text: string): string[] {
  const domains: string[] = [];
  for (const line of text.split('\n')) {
    const words = /^(?:DOMAINS|ROUTE_DOMAINS)=(.*)$/.exec(line.trim())?.[1];
    for (const word of words?.split(/\s+/) ?? []) {
      const domain = word.toLowerCase().replace(/^~?\.?|\.$/g, '');
      // `~.` says which servers are asked for everything: it names no domain.
      if (domain !== '') domains.push(domain);
    }
  }
  return domains;
}

/** Names of hosts(5), aliases too, with their addresses. What is no address is left out. */
export function parseHosts(text: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...found] = line.replace(/#.*$/, '').trim().toLowerCase().split(/\s+/);
    if (parseIpAddress(address) === undefined) continue;
    for (const name of found.map(plainName)) {
      const known = names.get(name);
      if (known === undefined) names.set(name, [address]);
      else known.push(address);
    }
  }
  return names;
}

/** Whether a name is one of some domains, or below one. */
export function isBelow(name: string, domains: readonly string[]): boolean {
  return domains.some(domain => name === domain || name.endsWith(`.${domain}`));
}

export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
