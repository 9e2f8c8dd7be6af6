import type { Link } from '@manypath/mptcp';

/** Kinds of virtual links that carry packets inside others: what leaves by them leaves by another path in truth. */
const tunnels = new Set([
  'tun',
  'wireguard',
  'amneziawg',
  'ovpn',
  'ipip',
  'ip6tnl',
  'gre',
  'gretap',
  'ip6gre',
  'ip6gretap',
  'erspan',
  'sit',
  'vti',
  'vti6',
  'xfrm',
  'vxlan',
  'geneve',
  'bareudp',
]);

/** Kinds that lead to containers and virtual machines of this host, or nowhere. */
const inward = new Set(['dummy', 'ifb', 'nlmon', 'netdevsim', 'macvtap', 'ipvtap']);

/** What names tell where the kind does not: links of containers, and VPNs whose links are of a plain kind. */
const inwardNames =
  /^(docker|br-[0-9a-f]{12}|virbr|vnet|veth[0-9a-f]{7}|lxc|lxd|incus|cni|flannel|cali|podman|tailscale|zt|utun|nordlynx|ppp-vpn)/;

/**
 * Whether a link may be a way out of this host. A VPN is none, on purpose: a connection that belongs into it must not leave around
 * it, and one that leaves by it already leaves by one of the paths below. Bridges and links of containers lead inward.
 */
export function isWayOut({ type, kind, name }: Link): boolean {
  if (type === 'loopback' || type === 'tunnel') return false;
  if (kind !== undefined && (tunnels.has(kind) || inward.has(kind))) return false;
  return !inwardNames.test(name);
}
