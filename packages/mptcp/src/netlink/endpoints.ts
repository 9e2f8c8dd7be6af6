import { type Attributes, AttributeWriter } from './attributes.ts';
import { NetlinkArgumentError, NetlinkMalformedError } from './errors.ts';
import { familyNumber, familyOfNumber, type IpFamily, ipBytes } from './ip-bytes.ts';

/** Flags of an endpoint, as bits of MPTCP_PM_ADDR_ATTR_FLAGS (include/uapi/linux/mptcp_pm.h). */
const flagBits = {
  /** Tell the other side of this address (ADD_ADDR). For servers. */
  signal: 1 << 0,
  /** Open a subflow from this address to where the first one goes. For clients. */
  subflow: 1 << 1,
  /** Its subflows carry data only when no other can. */
  backup: 1 << 2,
  /** Open a subflow to every address of the other side, not just to the first. Not with `signal`. */
  fullmesh: 1 << 3,
  /** Made by the kernel itself, for a subflow from an address that is no endpoint. */
  implicit: 1 << 4,
  /** Use it for addresses that the other side tells of (Linux 6.18). */
  laminar: 1 << 5,
} as const;

export type EndpointFlag = keyof typeof flagBits;

/** An address that the kernel's path manager uses for subflows. */
export interface Endpoint {
  /** The kernel's number of it, 1 to 255; it is the address id of its subflows (RFC 8684 §3.4.1). */
  id: number;
  family: IpFamily;
  address: string;
  /** Port that is announced with it; `undefined` for that of the connection. */
  port: number | undefined;
  flags: EndpointFlag[];
  /** Number of the device that its subflows are bound to. */
  index: number | undefined;
  /** Name of that device; `undefined` without one, or when it has gone. */
  device: string | undefined;
}

/** An address as a request to the path manager carries it. */
export interface PathAddress {
  address?: string | undefined;
  id?: number | undefined;
  port?: number | undefined;
  flags?: Iterable<EndpointFlag> | undefined;
  index?: number | undefined;
}

const ATTR_FAMILY = 1;
const ATTR_ID = 2;
const ATTR_ADDR4 = 3;
const ATTR_ADDR6 = 4;
const ATTR_PORT = 5;
const ATTR_FLAGS = 6;
const ATTR_IF_IDX = 7;

/** The nest of one address. Its port is in the byte order of the host, unlike the ports of events. */
export function encodePathAddress({ address, id, port, flags, index }: PathAddress): AttributeWriter {
  const bytes = address === undefined ? undefined : ipBytes(address);
  const family = bytes?.byteLength === 4 ? 4 : 6;
  return new AttributeWriter()
    .u16(ATTR_FAMILY, bytes === undefined ? undefined : familyNumber(family))
    .u8(ATTR_ID, checked('The id of an endpoint', id, 255))
    .bytes(family === 4 ? ATTR_ADDR4 : ATTR_ADDR6, bytes)
    .u16(ATTR_PORT, checked('A port', port, 65_535))
    .u32(ATTR_FLAGS, flags === undefined ? undefined : flagsNumber(flags))
    .u32(ATTR_IF_IDX, index);
}

export function decodeEndpoint(
  attributes: Attributes,
  deviceName: (index: number) => string | undefined,
): Endpoint {
  const family = familyOfNumber(attributes.u16(ATTR_FAMILY) ?? 0);
  const address = attributes.address(family === 4 ? ATTR_ADDR4 : ATTR_ADDR6);
  if (family === undefined || address === undefined) {
    throw new NetlinkMalformedError('An endpoint without an address');
  }
  const index = attributes.s32(ATTR_IF_IDX) || undefined;
  return {
    id: attributes.u8(ATTR_ID) ?? 0,
    family,
    address,
    port: attributes.u16(ATTR_PORT) || undefined,
    flags: flagNames(attributes.u32(ATTR_FLAGS) ?? 0),
    index,
    device: index === undefined ? undefined : deviceName(index),
  };
}

export function flagsNumber(flags: Iterable<EndpointFlag>): number {
  let number = 0;
  for (const flag of flags) {
    const bit = (flagBits as Record<string, number>)[flag];
    if (bit === undefined)
      throw new NetlinkArgumentError(`There is no endpoint flag ${JSON.stringify(flag)}`);
    number |= bit;
  }
  return number;
}

export function flagNames(number: number): EndpointFlag[] {
  return (Object.keys(flagBits) as EndpointFlag[]).filter(flag => (number & flagBits[flag]) !== 0);
}

function checked(what: string, value: number | undefined, most: number): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= most)) return value;
  throw new NetlinkArgumentError(`${what} is a whole number from 0 to ${most}, not ${value}`);
}
