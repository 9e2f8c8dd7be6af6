import { runBatch } from './command.ts';
import { provideHosts, type Sysctls, writeSysctls } from './namespace-files.ts';
import {
  hostsFile,
  type Namespaces,
  prefix,
  roles,
  type ServerRole,
  serverRoles,
  serverSubnet,
} from './plan.ts';

/** Makes the namespaces, the servers and their subnets: all but the links. */
export async function buildHosts(namespaces: Namespaces, congestion: string | undefined): Promise<void> {
  const names = roles.map(role => namespaces[role]);
  await runBatch(
    'ip',
    names.map(name => `netns add ${name}`),
  );
  provideHosts(names, hostsFile());
  // Before any interface comes, because each copies the defaults when it does.
  for (const role of roles) writeSysctls(namespaces[role], sysctlsOf(role, congestion));
  const cables = serverRoles.map(
    role =>
      `link add name eth0 netns ${namespaces[role]} type veth peer name ${cableOf(role)} netns ${namespaces.router}`,
  );
  await runBatch('ip', cables);
  await Promise.all([
    runBatch('ip', ['link set dev lo up'], { namespace: namespaces.client }),
    runBatch('ip', ['link set dev lo up', ...serverRoles.flatMap(routerLines)], {
      namespace: namespaces.router,
    }),
    ...serverRoles.map(role => runBatch('ip', serverLines(role), { namespace: namespaces[role] })),
  ]);
}

/** What the router calls its interface towards a server. */
function cableOf(role: ServerRole): string {
  return role === 'originMptcp' ? 'origin-mptcp' : role;
}

function routerLines(role: ServerRole): string[] {
  const { gateway, gateway6 } = serverSubnet(role);
  const device = cableOf(role);
  return [
    `link set dev ${device} up`,
    `addr add ${gateway}/${prefix.v4} dev ${device}`,
    `addr add ${gateway6}/${prefix.v6} dev ${device} nodad`,
  ];
}

function serverLines(role: ServerRole): string[] {
  const { address, address6, gateway, gateway6 } = serverSubnet(role);
  return [
    'link set dev lo up',
    'link set dev eth0 up',
    `addr add ${address}/${prefix.v4} dev eth0`,
    `addr add ${address6}/${prefix.v6} dev eth0 nodad`,
    `route add default via ${gateway} dev eth0`,
    `route add default via ${gateway6} dev eth0`,
  ];
}

function sysctlsOf(role: (typeof roles)[number], congestion: string | undefined): Sysctls {
  const each = (path: (scope: string) => string, value: string): Sysctls =>
    ['all', 'default'].map(scope => [path(scope), value]);
  const sysctls: Sysctls = [
    ...each(scope => `ipv6/conf/${scope}/disable_ipv6`, '0'),
    // Addresses are usable at once; nobody else is on these cables.
    ...each(scope => `ipv6/conf/${scope}/accept_dad`, '0'),
    ...each(scope => `ipv6/conf/${scope}/accept_ra`, '0'),
    // One measurement must not colour the next one with its round-trip time and window.
    ['ipv4/tcp_no_metrics_save', '1'],
  ];
  if (role === 'router') {
    sysctls.push(['ipv4/ip_forward', '1'], ['ipv6/conf/all/forwarding', '1']);
    sysctls.push(...each(scope => `ipv4/conf/${scope}/rp_filter`, '0'));
  }
  // As Debian, Ubuntu and Fedora ship it.
  if (role === 'client') sysctls.push(...each(scope => `ipv4/conf/${scope}/rp_filter`, '2'));
  if (role === 'origin') sysctls.push(['mptcp/enabled', '0']);
  if (congestion !== undefined) sysctls.push(['ipv4/tcp_congestion_control', congestion]);
  return sysctls;
}
