import { AttributeWriter, splitHead } from './attributes.ts';
import { NetlinkArgumentError } from './errors.ts';
import { familyOfNumber, ipBytes } from './ip-bytes.ts';
import {
  type DeviceIndex,
  type DeviceName,
  ROUTE_HEAD_BYTES,
  RTA_DST,
  RTA_IIF,
  RTA_MARK,
  RTA_OIF,
  RTA_SRC,
  RTA_UID,
  RTM_F_LOOKUP_TABLE,
  routeHead,
} from './route-message.ts';
import type { RouteType } from './route-names.ts';
import { routeOf } from './routes.ts';

/** What the kernel is asked to decide. */
export interface RouteQuestion {
  /** Source address of the packet. */
  from?: string;
  /** Device it must leave through, by name. */
  oif?: string;
  /** Device it came in through, by name: the answer is then for a forwarded packet. */
  iif?: string;
  /** Firewall mark of the packet. */
  mark?: number;
  /** User whose packet it is. */
  uid?: number;
}

/** How a packet would travel. */
export interface RouteAnswer {
  destination: string;
  type: RouteType;
  device: string | undefined;
  index: number | undefined;
  gateway: string | undefined;
  /** The source address it leaves with. */
  source: string | undefined;
  table: number;
  /** Path MTU in bytes where one is known. */
  mtu: number | undefined;
}

export function encodeRouteQuestion(
  address: string,
  question: RouteQuestion,
  deviceIndex: DeviceIndex,
): Uint8Array {
  const destination = ipBytes(address);
  const family = destination.byteLength === 4 ? 4 : 6;
  const source = question.from === undefined ? undefined : ipBytes(question.from);
  if (source !== undefined && source.byteLength !== destination.byteLength) {
    throw new NetlinkArgumentError(`${question.from} and ${address} are not of one family`);
  }
  const bits = destination.byteLength * 8;
  const head = routeHead({
    family,
    length: bits,
    sourceLength: source === undefined ? 0 : bits,
    flags: family === 4 ? RTM_F_LOOKUP_TABLE : 0,
  });
  return new AttributeWriter(head)
    .bytes(RTA_DST, destination)
    .bytes(RTA_SRC, source)
    .u32(RTA_OIF, question.oif === undefined ? undefined : deviceIndex(question.oif))
    .u32(RTA_IIF, question.iif === undefined ? undefined : deviceIndex(question.iif))
    .u32(RTA_MARK, question.mark)
    .u32(RTA_UID, question.uid)
    .finish();
}

export function decodeRouteAnswer(payload: Uint8Array, deviceName: DeviceName): RouteAnswer | undefined {
  const { head, attributes } = splitHead(payload, ROUTE_HEAD_BYTES);
  const family = familyOfNumber(head.getUint8(0));
  if (family === undefined) return undefined;
  const route = routeOf(family, head, attributes, deviceName);
  return {
    destination: attributes.address(RTA_DST) ?? route.destination,
    type: route.type,
    device: route.device,
    index: route.index,
    gateway: route.gateway,
    source: route.source,
    table: route.table,
    mtu: route.metrics.mtu,
  };
}
