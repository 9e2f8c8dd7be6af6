import { Attributes, eachAttribute, viewOf } from './attributes.ts';
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_DONE } from './constants.ts';
import { NetlinkMalformedError } from './errors.ts';
import { aligned, HEADER_BYTES, type NetlinkMessage } from './message.ts';

/** How a request ended. */
export interface Acknowledgement {
  /** 0 for success, else the kernel's error number, positive. */
  errno: number;
  /** The kernel's explanation, which newer kernels give for many errors. */
  message: string | undefined;
}

const NLMSGERR_ATTR_MSG = 1;

/** Reads NLMSG_ERROR, which also says that all is well, and NLMSG_DONE, which ends a listing. */
export function decodeAcknowledgement(message: NetlinkMessage): Acknowledgement {
  const { payload, type, flags } = message;
  if (payload.byteLength < 4) {
    // Old kernels end a listing without a number.
    if (type === NLMSG_DONE) return { errno: 0, message: undefined };
    throw new NetlinkMalformedError('A netlink acknowledgement without an error number');
  }
  const errno = Math.abs(viewOf(payload).getInt32(0, true));
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, message: undefined };
  const start = type === NLMSG_DONE ? 4 : 4 + echoedBytes(payload, flags);
  return { errno, message: explanation(payload.subarray(Math.min(start, payload.byteLength))) };
}

/** After the number comes the request again: its header only, when "capped". */
function echoedBytes(payload: Uint8Array, flags: number): number {
  if (payload.byteLength < 4 + HEADER_BYTES) {
    throw new NetlinkMalformedError('A netlink acknowledgement without the header of its request');
  }
  return (flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : aligned(viewOf(payload).getUint32(4, true));
}

function explanation(bytes: Uint8Array): string | undefined {
  if (eachAttribute(bytes).length === 0) return undefined;
  return new Attributes(bytes).text(NLMSGERR_ATTR_MSG);
}
