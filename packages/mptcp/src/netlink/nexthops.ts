import { Attributes, AttributeWriter, viewOf } from './attributes.ts';
import { NetlinkArgumentError, NetlinkMalformedError } from './errors.ts';
import { familyNumber, type IpFamily, ipBytes, ipText } from './ip-bytes.ts';
import { aligned } from './message.ts';
import {
  type DeviceIndex,
  type DeviceName,
  RTA_GATEWAY,
  RTA_VIA,
  RTNH_F_DEAD,
  RTNH_F_LINKDOWN,
  RTNH_F_ONLINK,
} from './route-message.ts';

/** One way of a multipath route (`struct rtnexthop`, include/uapi/linux/rtnetlink.h). */
export interface Nexthop {
  gateway: string | undefined;
  index: number;
  device: string | undefined;
  /** Share of the traffic against the others: 1 to 256. */
  weight: number;
  dead: boolean;
  linkDown: boolean;
  onLink: boolean;
}

/** One way of a multipath route to add. */
export interface NexthopChange {
  gateway?: string;
  device?: string;
  index?: number;
  /** 1 to 256. Default 1. */
  weight?: number;
  onLink?: boolean;
}

/** `struct rtnexthop` without its attributes. */
const NEXTHOP_BYTES = 8;

/** The number of a way's device, given by number or by name. */
export function indexOf(
  way: { device?: string; index?: number },
  deviceIndex: DeviceIndex,
): number | undefined {
  return way.index ?? (way.device === undefined ? undefined : deviceIndex(way.device));
}

/** A gateway of the other family goes into RTA_VIA (RFC 5549), as family and address. */
export function writeGateway(writer: AttributeWriter, gateway: string | undefined, family: IpFamily): void {
  if (gateway === undefined) return;
  const bytes = ipBytes(gateway);
  const own = bytes.byteLength === 4 ? 4 : 6;
  if (own === family) writer.bytes(RTA_GATEWAY, bytes);
  else writer.bytes(RTA_VIA, Uint8Array.of(familyNumber(own), 0, ...bytes));
}

export function gatewayOf(attributes: Attributes): string | undefined {
  const via = attributes.bytes(RTA_VIA);
  return via === undefined ? attributes.address(RTA_GATEWAY) : ipText(via.subarray(2));
}

export function encodeNexthops(
  hops: readonly NexthopChange[],
  family: IpFamily,
  deviceIndex: DeviceIndex,
): Uint8Array {
  const parts = hops.map(hop => {
    const weight = hop.weight ?? 1;
    if (!Number.isInteger(weight) || weight < 1 || weight > 256) {
      throw new NetlinkArgumentError(`The weight of a nexthop is 1 to 256, not ${weight}`);
    }
    const writer = new AttributeWriter(new Uint8Array(NEXTHOP_BYTES));
    writeGateway(writer, hop.gateway, family);
    const bytes = writer.finish();
    const view = viewOf(bytes);
    view.setUint16(0, bytes.byteLength, true);
    view.setUint8(2, hop.onLink === true ? RTNH_F_ONLINK : 0);
    view.setUint8(3, weight - 1);
    view.setInt32(4, indexOf(hop, deviceIndex) ?? 0, true);
    return bytes;
  });
  return Uint8Array.from(parts.flatMap(part => [...part]));
}

/** An array of `struct rtnexthop`, each with attributes of its own. */
export function decodeNexthops(bytes: Uint8Array, deviceName: DeviceName): Nexthop[] {
  const view = viewOf(bytes);
  const hops: Nexthop[] = [];
  let offset = 0;
  while (offset < bytes.byteLength) {
    const left = bytes.byteLength - offset;
    const length = left < NEXTHOP_BYTES ? 0 : view.getUint16(offset, true);
    if (length < NEXTHOP_BYTES || length > left) {
      throw new NetlinkMalformedError(`A nexthop claims ${length} bytes where ${left} are left`);
    }
    const attributes = new Attributes(bytes.subarray(offset + NEXTHOP_BYTES, offset + length));
    const index = view.getInt32(offset + 4, true);
    hops.push({
      gateway: gatewayOf(attributes),
      index,
      device: deviceName(index),
      weight: view.getUint8(offset + 3) + 1,
      ...nexthopFlags(view.getUint8(offset + 2)),
    });
    offset += aligned(length);
  }
  return hops;
}

export function nexthopFlags(flags: number): { dead: boolean; linkDown: boolean; onLink: boolean } {
  return {
    dead: (flags & RTNH_F_DEAD) !== 0,
    linkDown: (flags & RTNH_F_LINKDOWN) !== 0,
    onLink: (flags & RTNH_F_ONLINK) !== 0,
  };
}
