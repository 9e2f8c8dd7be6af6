import { decodeSockaddr, type SocketAddress } from './sockaddr.ts';

/**
 * Decoders of kernel structs: bytes in, plain objects out, no system calls.
 *
 * Structs only grow at their end. A kernel older than a field returns a shorter struct, so every decoder takes
 * the length it was given for the truth: `undefined` is a field the kernel does not have.
 */

/** Memory that the kernel writes structs to: as bytes, and as a view to read numbers from. */
export interface StructBytes {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** New memory outside the JavaScript heap, so that its address stays the same; or a copy of `content`. */
export function structBytes(content: number | Uint8Array): StructBytes {
  const bytes = Buffer.allocUnsafeSlow(typeof content === 'number' ? content : content.byteLength);
  if (typeof content === 'number') bytes.fill(0);
  else bytes.set(content);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

/** Reads little-endian fields of one struct; beyond its length there is nothing. */
class StructView {
  readonly #view: DataView;
  readonly #start: number;
  readonly #length: number;

  constructor({ view }: StructBytes, start: number, length: number) {
    this.#view = view;
    this.#start = start;
    this.#length = Math.max(0, Math.min(length, view.byteLength - start));
  }

  u8(offset: number): number | undefined {
    return offset + 1 > this.#length ? undefined : this.#view.getUint8(this.#start + offset);
  }

  u32(offset: number): number | undefined {
    return offset + 4 > this.#length ? undefined : this.#view.getUint32(this.#start + offset, true);
  }

  /** Counters of bytes and rates: exact up to 2^53. */
  u64(offset: number): number | undefined {
    if (offset + 8 > this.#length) return undefined;
    const at = this.#start + offset;
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
  }
}

/** `struct mptcp_info`, include/uapi/linux/mptcp.h. Bytes are those of the whole connection. */
export interface MptcpInfo {
  /** Subflows besides the first one. */
  extraSubflows: number | undefined;
  addAddrSignal: number | undefined;
  addAddrAccepted: number | undefined;
  subflowsMax: number | undefined;
  addAddrSignalMax: number | undefined;
  addAddrAcceptedMax: number | undefined;
  /** MPTCP_INFO_FLAG_FALLBACK */
  fallback: boolean;
  /** MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED */
  remoteKeyReceived: boolean;
  /** The connection's name in this network namespace (RFC 8684 §3.2). */
  token: number | undefined;
  writeSequence: number | undefined;
  sendUnacknowledged: number | undefined;
  receiveNext: number | undefined;
  localAddressesUsed: number | undefined;
  localAddressesMax: number | undefined;
  checksum: boolean | undefined;
  retransmits: number | undefined;
  bytesRetransmitted: number | undefined;
  bytesSent: number | undefined;
  bytesReceived: number | undefined;
  bytesAcked: number | undefined;
  /** All subflows, the first one too (Linux 6.8). */
  subflowsTotal: number | undefined;
  /** Milliseconds since the last … (Linux 6.10). */
  lastDataSentMs: number | undefined;
  lastDataReceivedMs: number | undefined;
  lastAckReceivedMs: number | undefined;
}

/** Decodes `length` bytes of `struct mptcp_info` at `offset`. */
export function decodeMptcpInfo(from: StructBytes, offset: number, length: number): MptcpInfo {
  const field = new StructView(from, offset, length);
  const flags = field.u32(8) ?? 0;
  const checksum = field.u8(42);
  return {
    extraSubflows: field.u8(0),
    addAddrSignal: field.u8(1),
    addAddrAccepted: field.u8(2),
    subflowsMax: field.u8(3),
    addAddrSignalMax: field.u8(4),
    addAddrAcceptedMax: field.u8(5),
    fallback: (flags & 1) !== 0,
    remoteKeyReceived: (flags & 2) !== 0,
    token: field.u32(12),
    writeSequence: field.u64(16),
    sendUnacknowledged: field.u64(24),
    receiveNext: field.u64(32),
    localAddressesUsed: field.u8(40),
    localAddressesMax: field.u8(41),
    checksum: checksum === undefined ? undefined : checksum !== 0,
    retransmits: field.u32(44),
    bytesRetransmitted: field.u64(48),
    bytesSent: field.u64(56),
    bytesReceived: field.u64(64),
    bytesAcked: field.u64(72),
    subflowsTotal: field.u8(80),
    lastDataSentMs: field.u32(84),
    lastDataReceivedMs: field.u32(88),
    lastAckReceivedMs: field.u32(92),
  };
}

/** Names of `tcpi_state`, include/net/tcp_states.h. */
export const tcpStates = [
  'unknown',
  'established',
  'syn-sent',
  'syn-received',
  'fin-wait-1',
  'fin-wait-2',
  'time-wait',
  'closed',
  'close-wait',
  'last-ack',
  'listen',
  'closing',
  'new-syn-received',
] as const;

export type TcpState = (typeof tcpStates)[number];

/** The part of `struct tcp_info` (include/uapi/linux/tcp.h) that tells how a path is doing. */
export interface TcpInfo {
  state: TcpState;
  /** Smoothed round-trip time in milliseconds, to the microsecond. */
  rttMs: number;
  rttVarianceMs: number;
  /** The least round-trip time seen lately; 0 before the first one. */
  minRttMs: number;
  retransmitTimeoutMs: number;
  /** Segments that may be on their way; times `segmentSize` that is bytes. */
  congestionWindow: number;
  /** Bytes of payload in a segment. */
  segmentSize: number;
  /** Segments on their way, not acknowledged. */
  unacknowledged: number;
  /** Segments held to be lost at this moment. */
  lost: number;
  /** Segments sent again, in all. */
  retransmits: number;
  /** Retransmission timeouts in a row: above 0 the path does not answer. */
  backoff: number;
  bytesSent: number;
  bytesRetransmitted: number;
  bytesReceived: number;
  bytesAcked: number;
  /** Bytes written by the program and not yet sent on this subflow. */
  bytesUnsent: number;
  /** Bytes a second, as last measured. */
  deliveryRate: number;
  /** Bytes a second the kernel means to send at most. */
  pacingRate: number;
  lastDataSentMs: number;
  lastDataReceivedMs: number;
  /** Segments with payload that arrived, also those that came out of order. */
  segmentsReceived: number;
  /** Bytes of payload in a segment that arrives, as the kernel guesses. */
  receivedSegmentSize: number;
  /** Bytes of payload that the other side was told to put into a segment at most. */
  advertisedSegmentSize: number;
}

/** Who is on both ends of a subflow. */
export interface SubflowEnds {
  /** The kernel's number of the subflow in its connection; `undefined` where it is not told (before Linux 6.5). */
  id: number | undefined;
  local: SocketAddress;
  remote: SocketAddress;
}

/** One TCP leg of a connection. Times are milliseconds, rates bytes a second. */
export interface SubflowInfo extends SubflowEnds, TcpInfo {}

/**
 * Decodes `length` bytes of `struct tcp_info` at `offset` into a subflow between `ends`; 0 for what an older kernel
 * leaves out. One literal for both, because this is what `info` spends its time on.
 */
export function decodeSubflow(
  { id, local, remote }: SubflowEnds,
  from: StructBytes,
  offset: number,
  length: number,
): SubflowInfo {
  const field = new StructView(from, offset, length);
  const minRtt = field.u32(148) ?? 0;
  return {
    id,
    local,
    remote,
    state: tcpStates[field.u8(0) ?? 0] ?? 'unknown',
    rttMs: (field.u32(68) ?? 0) / 1000,
    rttVarianceMs: (field.u32(72) ?? 0) / 1000,
    minRttMs: minRtt === 0xffff_ffff ? 0 : minRtt / 1000,
    retransmitTimeoutMs: (field.u32(8) ?? 0) / 1000,
    congestionWindow: field.u32(80) ?? 0,
    segmentSize: field.u32(16) ?? 0,
    unacknowledged: field.u32(24) ?? 0,
    lost: field.u32(32) ?? 0,
    retransmits: field.u32(100) ?? 0,
    backoff: field.u8(4) ?? 0,
    bytesSent: field.u64(200) ?? 0,
    bytesRetransmitted: field.u64(208) ?? 0,
    bytesReceived: field.u64(128) ?? 0,
    bytesAcked: field.u64(120) ?? 0,
    bytesUnsent: field.u32(144) ?? 0,
    deliveryRate: field.u64(160) ?? 0,
    pacingRate: field.u64(104) ?? 0,
    lastDataSentMs: field.u32(44) ?? 0,
    lastDataReceivedMs: field.u32(52) ?? 0,
    segmentsReceived: field.u32(152) ?? 0,
    receivedSegmentSize: field.u32(20) ?? 0,
    advertisedSegmentSize: field.u32(84) ?? 0,
  };
}

const nowhere: SocketAddress = { address: '', port: 0 };

/** Decodes `struct mptcp_subflow_info` (`id`, then the addresses). */
export function decodeSubflowInfo(from: StructBytes, offset: number, length: number): SubflowEnds {
  const end = offset + length;
  return {
    id: new StructView(from, offset, length).u32(0),
    local: decodeSockaddr(from.bytes, offset + 8, end) ?? nowhere,
    remote: decodeSockaddr(from.bytes, offset + 136, end) ?? nowhere,
  };
}

/** Decodes `struct mptcp_subflow_addrs` (the addresses alone). */
export function decodeSubflowAddrs(from: StructBytes, offset: number, length: number): SubflowEnds {
  const end = offset + length;
  return {
    id: undefined,
    local: decodeSockaddr(from.bytes, offset, end) ?? nowhere,
    remote: decodeSockaddr(from.bytes, offset + 128, end) ?? nowhere,
  };
}

/** The head of `struct mptcp_full_info`: how its two arrays are laid out. */
export interface FullInfoHead {
  tcpInfoSize: number;
  subflowInfoSize: number;
  /** Subflows there are; the arrays hold no more than they have room for. */
  subflows: number;
}

export const FULL_INFO_HEAD = 40;

export function decodeFullInfoHead(from: StructBytes): FullInfoHead {
  const field = new StructView(from, 0, FULL_INFO_HEAD);
  return {
    tcpInfoSize: field.u32(4) ?? 0,
    subflowInfoSize: field.u32(12) ?? 0,
    subflows: field.u32(16) ?? 0,
  };
}

/** `struct mptcp_subflow_data`, the head of MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS. */
export interface SubflowDataHead {
  headSize: number;
  subflows: number;
  /** Bytes of one array element. */
  elementSize: number;
}

export function decodeSubflowDataHead(from: StructBytes): SubflowDataHead {
  const field = new StructView(from, 0, 16);
  return {
    headSize: field.u32(0) ?? 0,
    subflows: field.u32(4) ?? 0,
    elementSize: Math.min(field.u32(8) ?? 0, field.u32(12) ?? 0),
  };
}
