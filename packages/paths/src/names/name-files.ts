import { readFile, stat } from 'node:fs/promises';
import { addressScope, type Clock, parseIpAddress } from '@manypath/core';
import { pathsLimits } from '../limits.ts';

/** Where a system keeps what it knows of names. */
export interface NamePlaces {
  readonly resolvConf: string;
  readonly hosts: string;
  /** Files that may name the servers of an interface, by its index: the first that names any counts. */
  readonly ofInterface: (index: number) => readonly string[];
}

export const systemNamePlaces: NamePlaces = {
  resolvConf: '/etc/resolv.conf',
  hosts: '/etc/hosts',
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
  readonly #read = new Map<string, { text: Promise<string>; until: number }>();

  constructor(clock: Clock, places: NamePlaces = systemNamePlaces) {
    this.#clock = clock;
    this.#places = places;
  }

  async settings(): Promise<ResolverSettings> {
    return parseResolvConf(await this.#text(this.#places.resolvConf));
  }

  /** Whether /etc/hosts has a name. */
  async isInHosts(name: string): Promise<boolean> {
    return hostsNames(await this.#text(this.#places.hosts)).has(name.toLowerCase().replace(/\.$/, ''));
  }

  /** The name servers that the network of an interface told it; empty when nothing tells. */
  async serversOf(index: number): Promise<readonly string[]> {
    for (const place of this.#places.ofInterface(index)) {
      const servers = parseInterfaceServers(await this.#text(place));
      if (servers.length > 0) return servers;
    }
    return [];
  }

  #text(place: string): Promise<string> {
    const known = this.#read.get(place);
    if (known !== undefined && known.until > this.#clock.now()) return known.text;
    const text = readSmall(place);
    if (this.#read.size > 64) this.#read.clear();
    this.#read.set(place, { text, until: this.#clock.now() + pathsLimits.nameFilesMs });
    return text;
  }
}

/** What a file holds; nothing when it is not there, may not be read, or is no file of settings. */
async function readSmall(place: string): Promise<string> {
  try {
    if ((await stat(place)).size > pathsLimits.nameFileBytes) return '';
    return await readFile(place, 'utf8');
  } catch {
    return '';
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

function hostsNames(text: string): Set<string> {
  const names = new Set<string>();
  for (const line of text.split('\n')) {
    const [, ...found] = line.replace(/#.*$/, '').trim().toLowerCase().split(/\s+/);
    for (const name of found) names.add(name);
  }
  return names;
}
