import { AttributeWriter, splitHead, viewOf } from './attributes.ts';
import { NetlinkArgumentError } from './errors.ts';
import { familyNumber, familyOfNumber, type IpFamily, parsePrefix, prefixText } from './ip-bytes.ts';
import { routeProtocols } from './route-names.ts';

/** A rule that picks a routing table (`struct fib_rule_hdr` and FRA_*, include/uapi/linux/fib_rules.h). */
export interface Rule {
  family: IpFamily;
  /** Rules are tried from the lowest number up. */
  priority: number;
  /** For packets from there, e.g. `192.0.2.7/32`; `undefined` for all. */
  from: string | undefined;
  to: string | undefined;
  /** For packets that came in through this device; `lo` stands for those of this host. */
  iif: string | undefined;
  /** For sockets bound to this device. */
  oif: string | undefined;
  fwmark: number | undefined;
  fwmask: number | undefined;
  /** The table to look into; 0 when the action is another one. */
  table: number;
  action: RuleAction;
  /** Priority of the rule to go on with, for `goto`. */
  target: number | undefined;
  /** Matches what it would otherwise not. */
  invert: boolean;
  /** Routes no longer than this are skipped in the table: 0 ignores its default routes. */
  suppressPrefixLength: number | undefined;
  /** Users whose packets match. */
  uidRange: { first: number; last: number } | undefined;
  /** IP protocol, e.g. 6 for TCP. */
  ipProtocol: number | undefined;
  sourcePorts: { first: number; last: number } | undefined;
  destinationPorts: { first: number; last: number } | undefined;
  /** Belongs to a VRF: the table is the device's. */
  vrf: boolean;
  /** Who made it, see `routeProtocols`. */
  protocol: number;
}

export type RuleAction = 'lookup' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit' | 'other';

/** A rule to add or to remove. Removal looks for a rule that has all of what is given. */
export interface RuleChange {
  /** Only needed without `from` and `to`. */
  family?: IpFamily;
  /** Default: the kernel puts it before those there are. Give it, to know what you have. */
  priority?: number;
  from?: string;
  to?: string;
  iif?: string;
  oif?: string;
  fwmark?: number;
  fwmask?: number;
  /** Table to look into; needed unless `action` says otherwise. */
  table?: number;
  /** Default `lookup`. */
  action?: 'lookup' | 'blackhole' | 'unreachable' | 'prohibit';
  suppressPrefixLength?: number;
  uidRange?: { first: number; last: number };
  /** Default `routeProtocols.manypath`. */
  protocol?: number;
}

const HEAD_BYTES = 12;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_GOTO = 4;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_SUPPRESS_PREFIXLEN = 14;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_UID_RANGE = 20;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const FRA_DPORT_RANGE = 24;

const FIB_RULE_INVERT = 2;
const NOTHING_SUPPRESSED = 0xffff_ffff;

const actions: Record<number, RuleAction> = {
  1: 'lookup',
  2: 'goto',
  3: 'nop',
  6: 'blackhole',
  7: 'unreachable',
  8: 'prohibit',
};

export function encodeRuleQuery(family: IpFamily): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  head[0] = familyNumber(family);
  return head;
}

/** The payload of RTM_NEWRULE and RTM_DELRULE. */
export function encodeRule(change: RuleChange): Uint8Array {
  const from = change.from === undefined ? undefined : parsePrefix(change.from);
  const to = change.to === undefined ? undefined : parsePrefix(change.to);
  const family = change.family ?? from?.family ?? to?.family;
  if (family === undefined) throw new NetlinkArgumentError('A rule without addresses needs its family');
  if ((from ?? to)?.family !== undefined && [from, to].some(prefix => prefix && prefix.family !== family)) {
    throw new NetlinkArgumentError(`The addresses of a rule must all be IPv${family}`);
  }
  const action = change.action ?? 'lookup';
  const table = change.table ?? 0;
  if (action === 'lookup' && table === 0)
    throw new NetlinkArgumentError('A rule needs the table to look into');
  const head = Uint8Array.of(
    familyNumber(family),
    to?.length ?? 0,
    from?.length ?? 0,
    0,
    table < 256 ? table : 0,
    0,
    0,
    { lookup: 1, blackhole: 6, unreachable: 7, prohibit: 8 }[action],
    0,
    0,
    0,
    0,
  );
  return new AttributeWriter(head)
    .bytes(FRA_SRC, from === undefined || from.length === 0 ? undefined : from.bytes)
    .bytes(FRA_DST, to === undefined || to.length === 0 ? undefined : to.bytes)
    .u32(FRA_PRIORITY, change.priority)
    .text(FRA_IIFNAME, change.iif)
    .text(FRA_OIFNAME, change.oif)
    .u32(FRA_FWMARK, change.fwmark)
    .u32(FRA_FWMASK, change.fwmask)
    .u32(FRA_TABLE, action === 'lookup' ? table : undefined)
    .u32(FRA_SUPPRESS_PREFIXLEN, change.suppressPrefixLength)
    .bytes(FRA_UID_RANGE, change.uidRange === undefined ? undefined : encodeUidRange(change.uidRange))
    .u8(FRA_PROTOCOL, change.protocol ?? routeProtocols.manypath)
    .finish();
}

/** Reads RTM_NEWRULE or RTM_DELRULE; `undefined` for families that are not IP. */
export function decodeRule(payload: Uint8Array): Rule | undefined {
  const { head, attributes } = splitHead(payload, HEAD_BYTES);
  const family = familyOfNumber(head.getUint8(0));
  if (family === undefined) return undefined;
  const prefix = (type: number, length: number): string | undefined =>
    length === 0 ? undefined : prefixText(family, attributes.address(type), length);
  const suppressed = attributes.u32(FRA_SUPPRESS_PREFIXLEN);
  return {
    family,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    from: prefix(FRA_SRC, head.getUint8(2)),
    to: prefix(FRA_DST, head.getUint8(1)),
    iif: attributes.text(FRA_IIFNAME),
    oif: attributes.text(FRA_OIFNAME),
    fwmark: attributes.u32(FRA_FWMARK),
    fwmask: attributes.u32(FRA_FWMASK),
    table: attributes.u32(FRA_TABLE) ?? head.getUint8(4),
    action: actions[head.getUint8(7)] ?? 'other',
    target: attributes.u32(FRA_GOTO),
    invert: (head.getUint32(8, true) & FIB_RULE_INVERT) !== 0,
    suppressPrefixLength: suppressed === NOTHING_SUPPRESSED ? undefined : suppressed,
    uidRange: range(attributes.bytes(FRA_UID_RANGE), 4),
    ipProtocol: attributes.u8(FRA_IP_PROTO),
    sourcePorts: range(attributes.bytes(FRA_SPORT_RANGE), 2),
    destinationPorts: range(attributes.bytes(FRA_DPORT_RANGE), 2),
    vrf: (attributes.u8(FRA_L3MDEV) ?? 0) !== 0,
    protocol: attributes.u8(FRA_PROTOCOL) ?? 0,
  };
}

/** `struct fib_rule_uid_range` and `struct fib_rule_port_range`: first and last. */
function range(bytes: Uint8Array | undefined, size: 2 | 4): { first: number; last: number } | undefined {
  if (bytes === undefined || bytes.byteLength < size * 2) return undefined;
  const view = viewOf(bytes);
  return size === 2
    ? { first: view.getUint16(0, true), last: view.getUint16(2, true) }
    : { first: view.getUint32(0, true), last: view.getUint32(4, true) };
}

function encodeUidRange({ first, last }: { first: number; last: number }): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = viewOf(bytes);
  view.setUint32(0, first, true);
  view.setUint32(4, last, true);
  return bytes;
}
