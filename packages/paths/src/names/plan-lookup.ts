import { addressScope, cidrContains, parseCidr, parseIpAddress } from '@manypath/core';
import { type DialCandidate, type Leanings, rankPaths } from '../dial/candidates.ts';
import { type AskRoute, leadsOut, sourceFor } from '../dial/leads-out.ts';
import type { Path } from '../discovery/path.ts';
import type { PathOutlook } from '../outlook.ts';
import type { NameServer } from './ask-server.ts';

/** One way to look a name up: a server over a path, or the system's resolver. */
export interface LookupCandidate extends Omit<DialCandidate, 'address'> {
  /** `undefined`: the system's resolver. */
  readonly server: NameServer | undefined;
}

/** What is known of name servers. */
export interface ServerKnowledge {
  /** Of resolv.conf. */
  readonly servers: readonly string[];
  /** What the network of each path told, by index of the interface. */
  readonly ofPath: ReadonlyMap<number, readonly string[]>;
}

/** The system's resolver, alone. */
export const bySystem: LookupCandidate = { server: undefined, path: undefined, rank: 0, rttMs: undefined };

/** Where systemd-resolved listens, which asks the servers that its files name. */
const resolvedStubs = new Set(['127.0.0.53', '127.0.0.54']);

/**
 * The ways to look up a name of the public DNS, in the order they are tried: like those of connections, each path asks its
 * own servers, and paths that stand alike take turns.
 *
 * The system's resolver alone is asked when there is no choice, or when somebody wants all names to go one
 * way: a VPN, or a resolver on this machine that is not systemd's. With systemd's, the servers it would ask are asked beside it when it is
 * silent.
 */
export function planLookup(
  outlooks: readonly PathOutlook[],
  { servers, ofPath }: ServerKnowledge,
  leanings: Leanings,
  askRoute: AskRoute | undefined,
): LookupCandidate[] {
  const paths = outlooks.map(({ path }) => path);
  const stubs = servers.filter(server => addressScope(server) === 'loopback');
  const isOneWay =
    paths.length < 2 ||
    servers.length === 0 ||
    stubs.some(stub => !resolvedStubs.has(stub)) ||
    [...servers, somewhere].some(server => !isReachedOverPaths(server, paths, askRoute));
  if (isOneWay) return [bySystem];
  const general = servers.filter(server => !stubs.includes(server));
  const ways = rankPaths(outlooks, leanings).map(({ outlook, rank }) => {
    const { path, rttMs } = outlook;
    const own = ofPath.get(path.index) ?? [];
    // A guess is better than nothing, but not when a resolver is there that knows.
    const guessed = stubs.length > 0 ? [] : gatewaysOf(path);
    const known = own.length > 0 ? own : general.filter(server => belongs(server, path, paths));
    const asked = (known.length > 0 ? known : guessed).flatMap(
      address => serverOver(address, path, askRoute) ?? [],
    );
    return asked.map((server): LookupCandidate => ({ server, path, rank, rttMs }));
  });
  const inTurns: LookupCandidate[] = [];
  for (const rank of new Set(ways.flat().map(way => way.rank))) {
    const group = ways.map(own => own.filter(way => way.rank === rank)).filter(own => own.length > 0);
    const rounds = Math.max(...group.map(own => own.length));
    for (let round = 0; round < rounds; round++) {
      for (const own of group) {
        const way = own[round];
        if (way !== undefined) inTurns.push(way);
      }
    }
  }
  if (inTurns.length === 0) return [bySystem];
  return stubs.length > 0 ? [bySystem, ...inTurns] : inTurns;
}

/** An address of TEST-NET-2, which goes where everything goes that nobody made a route for. */
const somewhere = '198.51.100.1';

function isReachedOverPaths(server: string, paths: readonly Path[], askRoute: AskRoute | undefined): boolean {
  const scope = addressScope(server);
  if (scope === 'loopback' || scope === 'link-local') return true;
  if (paths.some(path => isOn(server, path))) return true;
  return leadsOut(server, paths, askRoute);
}

/** Whether a server that was named for the whole machine can be one of this path: not when it is on another one's network. */
function belongs(server: string, path: Path, paths: readonly Path[]): boolean {
  if (addressScope(server) === 'link-local') return false;
  return isOn(server, path) || !paths.some(other => isOn(server, other));
}

function isOn(server: string, path: Path): boolean {
  const parsed = parseIpAddress(server);
  if (parsed === undefined) return false;
  return path.addresses.some(own => {
    const subnet = parseCidr(`${own.address}/${own.prefixLength}`);
    return subnet !== undefined && own.family === parsed.family && cidrContains(subnet, parsed);
  });
}

/** Routers at home and phones answer for names themselves. */
function gatewaysOf(path: Path): string[] {
  const gateways = path.addresses.map(({ gateway }) => gateway).filter(gateway => gateway !== null);
  return [...new Set(gateways)].slice(0, 1);
}

/** How a server is asked over a path; `undefined` when the path has no address of its family. */
function serverOver(address: string, path: Path, askRoute: AskRoute | undefined): NameServer | undefined {
  const family = parseIpAddress(address)?.family;
  if (addressScope(address) === 'link-local') {
    return { address: `${address}%${path.name}`, device: path.name };
  }
  if (!path.addresses.some(own => own.family === family)) return undefined;
  const localAddress = isOn(address, path) ? undefined : sourceFor(address, path, askRoute);
  return { address, device: path.name, localAddress };
}
