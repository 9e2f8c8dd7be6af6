import { linkSubnet, namespacesOf, roles } from './plan.ts';
import { impaired } from './shaping.ts';
import type { LabRecord, LinkRecord } from './state.ts';

/** Lines for people: the namespaces, the links, and what the machine lends to them. */
export function describeLab(record: LabRecord, congestion: string): string[] {
  const namespaces = namespacesOf(record.name);
  return [
    `lab ${record.name}: ${roles.map(role => namespaces[role]).join(', ')}`,
    ...record.links.map(describeLink),
    `congestion control ${congestion}; ${describeDelay(record)}`,
  ];
}

function describeDelay(record: LabRecord): string {
  if (record.links.some(link => link.wire !== null)) {
    return 'packets are delayed and lost by processes of the lab (no netem in this kernel)';
  }
  const shaped = record.links.some(({ shape }) => impaired(shape));
  return shaped ? 'packets are delayed and lost by netem' : 'no packet is delayed or lost on purpose';
}

function describeLink(link: LinkRecord): string {
  const { rateMbit, uploadMbit, delayMs, jitterMs, lossPercent } = link.shape;
  const rate = (value: number | null) => (value === null ? 'unshaped' : `${value} Mbit/s`);
  const parts = [rate(rateMbit) + (uploadMbit === rateMbit ? '' : ` down, ${rate(uploadMbit)} up`)];
  if (delayMs > 0) parts.push(`${delayMs} ms one way`);
  if (jitterMs > 0) parts.push(`jitter ${jitterMs} ms`);
  if (lossPercent > 0) parts.push(`loss ${lossPercent} %`);
  if (link.faults.length > 0) parts.push(`cut: ${link.faults.join(', ')}`);
  return `link ${link.name} (${link.device}, ${linkSubnet(link.index, link.host).address}): ${parts.join(', ')}`;
}
