import { LabOptionError, LabUnknownError } from './errors.ts';
import type { PacketFault } from './faults.ts';
import { type LinkShape, linkSubnet, type Subnet } from './plan.ts';
import type { FaultKind, LabRecord, LinkRecord } from './state.ts';

/** A link as it is now. */
export interface LabLink extends Readonly<Subnet> {
  readonly name: string;
  /** The client's interface. */
  readonly device: string;
  readonly metric: number | null;
  readonly shape: Readonly<LinkShape>;
  readonly faults: readonly FaultKind[];
}

/** The record of a link. Throws `MANYPATH_LAB_UNKNOWN`. */
export function findLink(record: LabRecord, name: string): LinkRecord {
  const link = record.links.find(candidate => candidate.name === name);
  if (link === undefined) throw unknownLink(record, name);
  return link;
}

/** What to throw when a lab has no such link. */
export function unknownLink(record: LabRecord, name: string): LabUnknownError {
  return new LabUnknownError(
    'link',
    name,
    record.links.map(known => known.name),
  );
}

/** A record as callers see it. */
export function asLabLink({ name, index, host, device, metric, shape, faults }: LinkRecord): LabLink {
  return { name, device, metric, shape, faults: [...faults], ...linkSubnet(index, host) };
}

/** The faults of a link that the router works on packets. */
export function packetFaultsOf(link: LinkRecord): ReadonlySet<PacketFault> {
  return new Set(
    link.faults.filter(
      (fault): fault is PacketFault => fault === 'blackhole' || fault === 'strip' || fault === 'mtu',
    ),
  );
}

/** The largest packet of the fault `mtu`, checked. */
export function packetBytesOf(packetBytes = 1000): number {
  if (Number.isInteger(packetBytes) && packetBytes >= 100 && packetBytes <= 65_535) return packetBytes;
  throw new LabOptionError(`The largest packet must have 100 to 65535 bytes, not ${packetBytes}`);
}

/** The loss of the fault `loss`, checked. */
export function lossOf(lossPercent = 5): number {
  if (lossPercent > 0 && lossPercent <= 100) return lossPercent;
  throw new LabOptionError(`lossPercent must lie above 0 and not above 100, not ${lossPercent}`);
}
