import { findTool, requireTool, runBatch, runCommand } from './command.ts';
import { linkSubnet, prefix } from './plan.ts';
import type { LinkRecord } from './state.ts';

/** Faults that the router works on packets, by nftables. */
export type PacketFault = 'blackhole' | 'strip' | 'mtu';

/** What the router calls its interface towards a link. */
export function routerDevice(link: Pick<LinkRecord, 'name'>): string {
  return `link-${link.name}`;
}

function tableOf(link: Pick<LinkRecord, 'name'>): string {
  return `inet link_${link.name.replaceAll('-', '_')}`;
}

/**
 * Puts exactly these packet faults on a link, in one transaction; none removes the table.
 *
 * A blackhole lets neighbour discovery through (ARP is not seen by these hooks): a router that is reachable while
 * nothing behind it answers is silent, where a failing neighbour would soon make the kernel report EHOSTUNREACH.
 */
export async function setPacketFaults(
  routerNamespace: string,
  link: LinkRecord,
  faults: ReadonlySet<PacketFault>,
): Promise<void> {
  if (findTool('nft') === undefined && !faults.has('strip') && !faults.has('mtu')) {
    return await setBlackholeRules(routerNamespace, link, faults.has('blackhole'));
  }
  const table = tableOf(link);
  const device = routerDevice(link);
  // `add` then `delete` removes a table whether or not it is there.
  const lines = [`add table ${table}`, `delete table ${table}`];
  if (faults.size > 0) lines.push(`table ${table} {`, ...chains(device, faults, link.faultPacketBytes), '}');
  await runCommand([requireTool('ip'), 'netns', 'exec', routerNamespace, requireTool('nft'), '-f', '-'], {
    input: `${lines.join('\n')}\n`,
  });
}

/** A blackhole by routing rules, for machines without nftables. */
export async function setBlackholeRules(
  routerNamespace: string,
  link: Pick<LinkRecord, 'name' | 'index'>,
  on: boolean,
): Promise<void> {
  const { gateway, gateway6 } = linkSubnet(link.index);
  const preference = 100 + link.index;
  const families = [
    { family: 4, subnet: `${gateway}/${prefix.v4}` },
    { family: 6, subnet: `${gateway6}/${prefix.v6}` },
  ] as const;
  for (const { family, subnet } of families) {
    const rules = [`iif ${routerDevice(link)}`, `to ${subnet}`];
    const where = { namespace: routerNamespace, family };
    const removal = rules.map(rule => `rule del pref ${preference} ${rule} blackhole`);
    await runBatch('ip', removal, { ...where, force: true });
    if (on)
      await runBatch(
        'ip',
        rules.map(rule => `rule add pref ${preference} ${rule} blackhole`),
        where,
      );
  }
}

function chains(device: string, faults: ReadonlySet<PacketFault>, packetBytes: number): string[] {
  const forward: string[] = [];
  const local: string[] = [];
  if (faults.has('blackhole')) {
    const drop = [`iifname "${device}" counter drop`, `oifname "${device}" counter drop`];
    const neighbours =
      'icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept';
    forward.push(...drop);
    local.push(neighbours, ...drop);
  }
  // RFC 8684: without the option in the SYN the connection is plain TCP; without it in a join, there is none.
  if (faults.has('strip')) {
    forward.push(
      `iifname "${device}" meta l4proto tcp reset tcp option mptcp`,
      `oifname "${device}" meta l4proto tcp reset tcp option mptcp`,
    );
  }
  // As a router does that has a smaller link behind it and whose ICMP somebody blocks.
  if (faults.has('mtu')) {
    const drop = `meta length > ${packetBytes} counter drop`;
    forward.push(`iifname "${device}" ${drop}`, `oifname "${device}" ${drop}`);
  }
  const chain = (hook: string, rules: string[]) => [
    `  chain ${hook} {`,
    `    type filter hook ${hook} priority 0; policy accept;`,
    ...rules.map(rule => `    ${rule}`),
    '  }',
  ];
  return [
    ...chain('forward', forward),
    ...(local.length === 0 ? [] : [...chain('input', local), ...chain('output', local)]),
  ];
}
