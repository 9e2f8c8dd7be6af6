import { viewOf } from './attributes.ts';
import { familyNumber, type IpFamily } from './ip-bytes.ts';

/** `struct rtmsg` and the attributes of routes (RTA_*, include/uapi/linux/rtnetlink.h). */

export const ROUTE_HEAD_BYTES = 12;
export const RTA_DST = 1;
export const RTA_SRC = 2;
export const RTA_IIF = 3;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_METRICS = 8;
export const RTA_MULTIPATH = 9;
export const RTA_CACHEINFO = 12;
export const RTA_TABLE = 15;
export const RTA_MARK = 16;
export const RTA_VIA = 18;
export const RTA_EXPIRES = 23;
export const RTA_UID = 25;
export const RTA_NH_ID = 30;

export const RTNH_F_DEAD = 1;
export const RTNH_F_ONLINK = 4;
export const RTNH_F_LINKDOWN = 16;
/** A cache entry, not a row of the table. */
export const RTM_F_CLONED = 0x200;
/** Ask for the table in which the answer was found; IPv6 tells it anyway, and takes no flags. */
export const RTM_F_LOOKUP_TABLE = 0x1000;

export type DeviceIndex = (name: string) => number;
export type DeviceName = (index: number) => string | undefined;

/** `struct rtmsg`. */
export function routeHead(fields: {
  family: IpFamily;
  length?: number;
  sourceLength?: number;
  table?: number;
  protocol?: number;
  scope?: number;
  type?: number;
  flags?: number;
}): Uint8Array {
  const head = Uint8Array.of(
    familyNumber(fields.family),
    fields.length ?? 0,
    fields.sourceLength ?? 0,
    0,
    fields.table ?? 0,
    fields.protocol ?? 0,
    fields.scope ?? 0,
    fields.type ?? 0,
    0,
    0,
    0,
    0,
  );
  viewOf(head).setUint32(8, fields.flags ?? 0, true);
  return head;
}
