import { NetlinkMalformedError } from './errors.ts';

/**
 * Netlink messages as bytes (include/uapi/linux/netlink.h, RFC 3549 §2.2). Numbers are in the byte order of the
 * host, which is little-endian wherever this package runs.
 */
export interface NetlinkMessage {
  type: number;
  flags: number;
  /** Ties an answer to its request; 0 in events. */
  sequence: number;
  /** The address of the netlink socket that asked; 0 is the kernel. */
  port: number;
  payload: Uint8Array;
}

export const HEADER_BYTES = 16;

/** Messages and attributes begin at multiples of four. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}

export function encodeMessage(message: NetlinkMessage): Uint8Array {
  const bytes = new Uint8Array(aligned(HEADER_BYTES + message.payload.byteLength));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, HEADER_BYTES + message.payload.byteLength, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, message.sequence, true);
  view.setUint32(12, message.port, true);
  bytes.set(message.payload, HEADER_BYTES);
  return bytes;
}

/**
 * The messages of one datagram. Payloads are views of `bytes`, not copies.
 *
 * @throws NetlinkMalformedError `MPTCP_NETLINK_MALFORMED` for a length that does not fit
 */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const messages: NetlinkMessage[] = [];
  let offset = 0;
  while (offset < bytes.byteLength) {
    const left = bytes.byteLength - offset;
    if (left < HEADER_BYTES) {
      throw new NetlinkMalformedError(`${left} bytes are too few for a netlink message header`);
    }
    const length = view.getUint32(offset, true);
    if (length < HEADER_BYTES || length > left) {
      throw new NetlinkMalformedError(`A netlink message claims ${length} bytes where ${left} are left`);
    }
    messages.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      port: view.getUint32(offset + 12, true),
      payload: bytes.subarray(offset + HEADER_BYTES, offset + length),
    });
    offset += aligned(length);
  }
  return messages;
}
