import { execFileSync } from 'node:child_process';

/** All that Manypath may change in a network namespace, to be compared. */
export function hostSettings(namespace: string): Record<string, string> {
  const inside = (command: string): string =>
    execFileSync('ip', ['netns', 'exec', namespace, ...command.split(' ')], { encoding: 'utf8' });
  return {
    rules: inside('ip rule'),
    rules6: inside('ip -6 rule'),
    routes: inside('ip route show table all'),
    routes6: inside('ip -6 route show table all').replaceAll(/expires \d+sec/g, ''),
    endpoints: inside('ip mptcp endpoint').replaceAll(/ id \d+/g, ''),
    limits: inside('ip mptcp limits'),
    sysctls: inside('sysctl net.ipv4.conf net.ipv4.tcp_mtu_probing net.ipv6.conf net.mptcp'),
    filters: inside('nft list ruleset'),
    links: inside('ip -brief link'),
  };
}
