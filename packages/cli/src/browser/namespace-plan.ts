import { localRanges4, localRanges6 } from './local-destinations.ts';

/**
 * The quiet namespace on paper: what `ip` and `nft` are told to do.
 *
 * Chromium is at peace in a namespace whose addresses and links never change, and takes itself for online
 * when there is a default route over a link that is up. A veth pair with both ends in the namespace is all
 * that needs. Its address is of TEST-NET-1 (RFC 5737), so that it hides no network of the host.
 */
export const quietLink = 'quiet0';
const quietPeer = 'quiet1';
const quietRouter = '192.0.2.1';

/**
 * The address of the browser's machine, as it were, and of the proxy.
 *
 * Chromium takes the address of a proxy for the address of every page that came through it. Behind a proxy
 * on 127.0.0.1 all the web is "loopback", and Local Network Access lets any page at localhost and the LAN
 * (measured with Chromium 156). This address is public in its eyes, as the pages are.
 */
export const quietAddress = '192.0.2.2';

/** From where the debugging door connects: what comes from there is meant for the browser itself. No page can choose that. */
export const doorAddress = '127.9.92.22';

/**
 * The input of `ip -batch -`.
 *
 * IPv6 must be off for new interfaces before this runs: the link-local address that would come up a second
 * later is itself a network change for Chromium.
 *
 * @param nameServers6 IPv6 name servers of the host, which get a route so that queries reach the rules below.
 */
export function linkCommands(nameServers6: readonly string[]): string {
  return [
    'link set lo up',
    `link add ${quietLink} type veth peer name ${quietPeer}`,
    `address add ${quietAddress}/30 dev ${quietLink}`,
    `link set ${quietPeer} up`,
    `link set ${quietLink} up`,
    `route add default via ${quietRouter} dev ${quietLink}`,
    // Without a route the kernel refuses before the rules can send the connection elsewhere.
    ...['fc00::/7', ...nameServers6.map(address => `${address}/128`)].map(
      to => `route add local ${to} dev lo`,
    ),
    '',
  ].join('\n');
}

/** Ports in the namespace that the holder listens on. */
export interface HolderPorts {
  /** Takes redirected connections, on 127.0.0.1 and on ::1. */
  readonly redirected4: number;
  readonly redirected6: number | undefined;
  /** The name server for local names, UDP on 127.0.0.1 and on ::1. */
  readonly names4: number;
  readonly names6: number | undefined;
}

/**
 * The input of `nft -f -`: sends what the browser connects to itself (loopback, local networks, and the name
 * servers of the host) to our own listeners, and answers the rest with a refusal instead of silence.
 *
 * `redirect` in the output hook changes the destination to 127.0.0.1 or ::1. For the browser the connection
 * keeps the address it asked for; who accepts it finds that address with SO_ORIGINAL_DST. The second chain
 * still sees the link chosen before the redirection, so what goes to 127.0.0.0/8 by then is let through first.
 */
export function natRules(ports: HolderPorts): string {
  const rules6 =
    ports.redirected6 === undefined || ports.names6 === undefined
      ? []
      : [
          `meta nfproto ipv6 udp dport 53 redirect to :${ports.names6}`,
          `meta nfproto ipv6 tcp dport 53 redirect to :${ports.redirected6}`,
          `ip6 daddr { ${localRanges6.join(', ')} } meta l4proto tcp redirect to :${ports.redirected6}`,
        ];
  return `table inet manypath {
  chain redirect_local {
    type nat hook output priority -100; policy accept;
    ip saddr ${doorAddress} accept
    meta nfproto ipv4 udp dport 53 redirect to :${ports.names4}
    meta nfproto ipv4 tcp dport 53 redirect to :${ports.redirected4}
    ip daddr { ${localRanges4.join(', ')} } meta l4proto tcp redirect to :${ports.redirected4}
    ${rules6.join('\n    ')}
  }
  chain refuse_rest {
    type filter hook output priority 0; policy accept;
    ip daddr 127.0.0.0/8 accept
    oifname "${quietLink}" meta l4proto tcp reject with tcp reset
    oifname "${quietLink}" reject with icmpx type admin-prohibited
  }
}
`;
}
