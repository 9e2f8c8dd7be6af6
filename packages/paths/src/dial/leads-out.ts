import { addressScope, type Cidr, cidrContains, parseCidr, parseIpAddress } from '@manypath/core';
import type { RouteAnswer, RouteQuestion } from '@manypath/mptcp';
import type { Path, PathAddress } from '../discovery/path.ts';
import { familyOf } from './candidates.ts';

/** Asks the kernel how it would send a packet; `RouteSocket.routeTo` does. `undefined`: it would not. */
export type AskRoute = (address: string, question?: RouteQuestion) => RouteAnswer | undefined;

/**
 * Whether connections to an address may be dialled over a path of our choice. What lies on this machine, on a network
 * that it is directly on, behind a VPN or behind a route that somebody set for it, is reached one way only: the one of the routing
 * table.
 */
export function leadsOut(address: string, paths: readonly Path[], askRoute: AskRoute | undefined): boolean {
  if (address.includes('%')) return false;
  const scope = addressScope(address);
  if (scope !== 'public' && scope !== 'private' && scope !== 'reserved') return false;
  if (paths.some(path => path.addresses.some(own => isOnLink(address, own)))) return false;
  if (askRoute === undefined) return true;
  const route = askRoute(address);
  // Nothing leads there as things are; over a path of its own table something may.
  if (route === undefined) return true;
  if (route.type !== 'unicast') return false;
  const path = paths.find(({ name }) => name === route.device);
  if (path === undefined) return false;
  // A modem's link to the whole world has no router.
  if (route.gateway === undefined) return scope === 'public' || isPointToPoint(path);
  return path.addresses.some(({ gateway }) => gateway === route.gateway);
}

function isPointToPoint(path: Path): boolean {
  return path.addresses.some(({ gateway }) => gateway === null);
}

/** Read once: every connection asks about all of them. */
const subnets = new WeakMap<PathAddress, Cidr | undefined>();

function subnetOf(own: PathAddress): Cidr | undefined {
  const known = subnets.get(own);
  if (known !== undefined) return known;
  const subnet = parseCidr(`${own.address}/${own.prefixLength}`);
  subnets.set(own, subnet);
  return subnet;
}

/** Whether an address is on the network that `own` is of. */
export function isOnLink(address: string, own: PathAddress): boolean {
  if (own.family !== familyOf(address)) return false;
  const subnet = subnetOf(own);
  const parsed = parseIpAddress(address);
  return subnet !== undefined && parsed !== undefined && cidrContains(subnet, parsed);
}

/**
 * The address a connection over `path` has to be bound to, besides the device; `undefined` when the kernel finds the way and the
 * source by itself, which it does better (temporary IPv6 addresses, RFC 6724).
 */
export function sourceFor(address: string, path: Path, askRoute: AskRoute | undefined): string | undefined {
  const family = familyOf(address);
  const own = path.addresses.filter(one => one.family === family);
  if (askRoute !== undefined) {
    const route = askRoute(address, { oif: path.name });
    if (route?.type === 'unicast' && own.some(({ gateway }) => gateway === (route.gateway ?? null)))
      return undefined;
  }
  const isPublic = addressScope(address) === 'public';
  const fitting = isPublic && own.find(one => addressScope(one.address) === 'public');
  return (fitting || own[0])?.address;
}
