import { AttributeWriter, splitHead, viewOf } from './attributes.ts';
import { NetlinkArgumentError, NetlinkMalformedError } from './errors.ts';
import { familyNumber, familyOfNumber, type IpFamily, ipBytes, parsePrefix } from './ip-bytes.ts';
import { routeScopes } from './route-names.ts';

/** An IP address on a device (`struct ifaddrmsg` and IFA_*, include/uapi/linux/if_addr.h). */
export interface DeviceAddress {
  family: IpFamily;
  /** This host's address. */
  address: string;
  /** Leading bits that the network shares. */
  prefixLength: number;
  /** The address at the other end of a point-to-point link. */
  peer: string | undefined;
  /** How far the address is good for. */
  scope: 'global' | 'site' | 'link' | 'host' | 'nowhere' | 'other';
  index: number;
  /** Name of the device; `undefined` when it has just gone. */
  device: string | undefined;
  label: string | undefined;
  flags: AddressFlags;
  /** Seconds the address stays valid; `Infinity` for ever. */
  validSeconds: number;
  /** Seconds until it is deprecated: kept for old connections, not chosen for new ones. */
  preferredSeconds: number;
  /** Who set it (IFAPROT_*, Linux 5.18); 0 or `undefined` when not told. */
  protocol: number | undefined;
}

/** All false for an address in plain good order. */
export interface AddressFlags {
  /** IPv6 privacy address (RFC 8981): replaced by another one within a day. */
  temporary: boolean;
  /** IPv4: not the first one of its network on this device. */
  secondary: boolean;
  /** Past its preferred time: not chosen for new connections. */
  deprecated: boolean;
  /** IPv6 duplicate detection still runs (RFC 4862 §5.4): not usable yet. */
  tentative: boolean;
  /** Another host has it: not usable. */
  duplicate: boolean;
  optimistic: boolean;
  /** Set by hand or by a manager, not by router advertisements. */
  permanent: boolean;
  /** Comes without a route to its network. */
  noPrefixRoute: boolean;
}

/** An address to add or remove. */
export interface AddressChange {
  /** With a prefix length, e.g. `192.0.2.7/24`. */
  address: string;
  /** Skip IPv6 duplicate detection: usable at once. Default false. */
  noDuplicateDetection?: boolean;
  noPrefixRoute?: boolean;
}

const HEAD_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_LABEL = 3;
const IFA_BROADCAST = 4;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;

const F_SECONDARY = 0x01;
const F_NODAD = 0x02;
const F_OPTIMISTIC = 0x04;
const F_DADFAILED = 0x08;
const F_DEPRECATED = 0x20;
const F_TENTATIVE = 0x40;
const F_PERMANENT = 0x80;
const F_NOPREFIXROUTE = 0x200;

const FOR_EVER = 0xffff_ffff;

export function encodeAddressQuery(index = 0): Uint8Array {
  return addressHead({ index });
}

/** The payload of RTM_NEWADDR and RTM_DELADDR. */
export function encodeAddress(index: number, change: AddressChange): Uint8Array {
  const { family, bytes, length } = parsePrefix(change.address);
  if (!change.address.includes('/')) {
    throw new NetlinkArgumentError(`${change.address} needs a prefix length, e.g. ${change.address}/24`);
  }
  const flags =
    (change.noDuplicateDetection === true ? F_NODAD : 0) |
    (change.noPrefixRoute === true ? F_NOPREFIXROUTE : 0);
  const head = addressHead({ family: familyNumber(family), length, index });
  return new AttributeWriter(head)
    .bytes(IFA_LOCAL, bytes)
    .bytes(IFA_ADDRESS, bytes)
    .bytes(IFA_BROADCAST, family === 4 && length < 31 ? broadcast(bytes, length) : undefined)
    .u32(IFA_FLAGS, flags === 0 ? undefined : flags)
    .finish();
}

/** Reads RTM_NEWADDR or RTM_DELADDR; `undefined` for a family that is not IP. */
export function decodeAddress(
  payload: Uint8Array,
  deviceName: (index: number) => string | undefined,
): DeviceAddress | undefined {
  const { head, attributes } = splitHead(payload, HEAD_BYTES);
  const family = familyOfNumber(head.getUint8(0));
  if (family === undefined) return undefined;
  const flags = attributes.u32(IFA_FLAGS) ?? head.getUint8(2);
  const peer = attributes.address(IFA_ADDRESS);
  // IPv4 always tells IFA_LOCAL; IPv6 only when there is a peer, which then is IFA_ADDRESS.
  const address = attributes.address(IFA_LOCAL) ?? peer;
  if (address === undefined || ipBytes(address).byteLength !== (family === 4 ? 4 : 16)) {
    throw new NetlinkMalformedError('A device address without an address of its family');
  }
  const lifetimes = attributes.bytes(IFA_CACHEINFO);
  const index = head.getUint32(4, true);
  return {
    family,
    address,
    prefixLength: head.getUint8(1),
    peer: peer === address ? undefined : peer,
    scope: scopeNames[head.getUint8(3)] ?? 'other',
    index,
    device: deviceName(index),
    label: attributes.text(IFA_LABEL),
    flags: {
      temporary: family === 6 && (flags & F_SECONDARY) !== 0,
      secondary: family === 4 && (flags & F_SECONDARY) !== 0,
      deprecated: (flags & F_DEPRECATED) !== 0,
      tentative: (flags & F_TENTATIVE) !== 0,
      duplicate: (flags & F_DADFAILED) !== 0,
      optimistic: (flags & F_OPTIMISTIC) !== 0,
      permanent: (flags & F_PERMANENT) !== 0,
      noPrefixRoute: (flags & F_NOPREFIXROUTE) !== 0,
    },
    preferredSeconds: seconds(lifetimes, 0),
    validSeconds: seconds(lifetimes, 4),
    protocol: attributes.u8(IFA_PROTO),
  };
}

const scopeNames: Record<number, Exclude<DeviceAddress['scope'], 'other'>> = {
  [routeScopes.universe]: 'global',
  [routeScopes.site]: 'site',
  [routeScopes.link]: 'link',
  [routeScopes.host]: 'host',
  [routeScopes.nowhere]: 'nowhere',
};

function addressHead(fields: { family?: number; length?: number; index: number }): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  head[0] = fields.family ?? 0;
  head[1] = fields.length ?? 0;
  viewOf(head).setUint32(4, fields.index, true);
  return head;
}

function seconds(bytes: Uint8Array | undefined, offset: number): number {
  if (bytes === undefined) return Number.POSITIVE_INFINITY;
  if (bytes.byteLength < 8) throw new NetlinkMalformedError(`Address lifetimes of ${bytes.byteLength} bytes`);
  const value = viewOf(bytes).getUint32(offset, true);
  return value === FOR_EVER ? Number.POSITIVE_INFINITY : value;
}

function broadcast(bytes: Uint8Array, length: number): Uint8Array {
  return bytes.map((byte, i) => byte | (0xff >> Math.max(0, Math.min(8, length - i * 8))));
}
