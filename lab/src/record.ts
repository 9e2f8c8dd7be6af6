import { randomBytes } from 'node:crypto';
import { LabNameTakenError, LabOptionError } from './errors.ts';
import {
  completeShape,
  defaultRateMbit,
  type LinkOptions,
  plainShape,
  type Role,
  requireDeviceName,
  requireLabName,
  requireLinkIndex,
  requireLinkName,
} from './plan.ts';
import { identifyProcess } from './process-identity.ts';
import type { LabRecord, LinkRecord } from './state.ts';

export interface LabOptions {
  /** Two or more links of the client, the first with the best default route. Default: `a` and `b`, 30 Mbit/s each. */
  links?: readonly LinkOptions[];
  /** The lab's own name, from which its namespaces are named. Default: six random characters. */
  name?: string;
  /** Stays after this process, until it is destroyed by name. Default false: it goes when the process goes. */
  persistent?: boolean;
  /** Congestion control of every namespace, for example `reno`. Default: what the machine uses. */
  congestion?: string;
  /**
   * Kernel parameters of single namespaces, for example `{ relay: { 'net.ipv4.tcp_wmem': '4096 131072 33554432' } }`.
   * Only those below `net.`.
   */
  sysctls?: { [role in Role]?: Record<string, string> };
}

/** The record of a lab that is to be made. Throws `MANYPATH_LAB_OPTION_INVALID`, `MANYPATH_LAB_NAME_TAKEN`. */
export function newRecord(options: LabOptions): LabRecord {
  const name = options.name ?? randomBytes(3).toString('hex');
  requireLabName(name);
  const given = options.links ?? [{ name: 'a' }, { name: 'b' }];
  if (given.length < 2) throw new LabOptionError('A lab has two links or more');
  const links: LinkRecord[] = [];
  for (const [position, link] of given.entries()) {
    const record = newLink(link, position + 1, defaultRateMbit);
    for (const other of links) requireDistinct(other, record);
    links.push(record);
  }
  return {
    version: 1,
    name,
    owner: identifyProcess(process.pid) ?? null,
    persistent: options.persistent === true,
    createdAt: new Date().toISOString(),
    linksMade: links.length,
    links,
  };
}

/** The record of a link that is to be made; `rateMbit` is what it has when it names none. */
export function newLink(options: LinkOptions, index: number, rateMbit: number | null): LinkRecord {
  const device = options.device ?? options.name;
  requireLinkName(options.name);
  requireDeviceName(device);
  requireLinkIndex(index);
  return {
    name: options.name,
    index,
    host: 2,
    device,
    metric: options.metric === undefined ? 100 * index : options.metric,
    shape: completeShape(options, { ...plainShape, rateMbit, uploadMbit: rateMbit }),
    faultLossPercent: 0,
    faultPacketBytes: 0,
    faults: [],
    wire: null,
  };
}

/** Throws `MANYPATH_LAB_NAME_TAKEN` when two links would be the same. */
export function requireDistinct(one: LinkRecord, other: LinkRecord): void {
  if (one.name === other.name) throw new LabNameTakenError('link', other.name);
  if (one.device === other.device) throw new LabNameTakenError('device', other.device);
}
