import { IPPROTO_MPTCP, IPPROTO_TCP } from '../kernel/constants.ts';
import type { SocketAddress } from '../kernel/sockaddr.ts';
import {
  decodeMptcpInfo,
  decodeSubflow,
  type MptcpInfo,
  type StructBytes,
  type SubflowInfo,
  type TcpState,
  tcpStates,
} from '../kernel/structs.ts';
import { type Attributes, AttributeWriter, splitHead, viewOf } from './attributes.ts';
import { NetlinkArgumentError } from './errors.ts';
import { familyNumber, type IpFamily, ipBytes, peerText } from './ip-bytes.ts';

/** A row of the kernel's socket tables (`struct inet_diag_msg`, include/uapi/linux/inet_diag.h). */
export interface DiagSocket {
  state: TcpState;
  local: SocketAddress;
  remote: SocketAddress;
  /** Number of the device it is bound to; 0 when free. */
  boundIndex: number;
  /** Names the socket as long as it lives, unlike its addresses. */
  cookie: bigint;
  /** Bytes received and not yet read by the program (listening: connections not yet accepted). */
  receiveQueue: number;
  /** Bytes written and not yet acknowledged (listening: the most connections that may wait). */
  sendQueue: number;
  /** User who owns it; 0 also where the kernel does not know, see `inode`. */
  uid: number;
  /** Number of the socket in the file system; 0 when no program holds it any more. */
  inode: number;
}

export interface MptcpDiagSocket extends DiagSocket {
  info: MptcpInfo | undefined;
}

export interface SubflowDiagSocket extends DiagSocket {
  subflow: SubflowUlpInfo;
  /** Its addresses and its `tcp_info`; all figures are 0 where the kernel gave none. */
  info: SubflowInfo;
}

/** What the kernel tells of a TCP socket as a subflow (MPTCP_SUBFLOW_ATTR_*, include/uapi/linux/mptcp.h). */
export interface SubflowUlpInfo {
  /** This host's token of the connection. */
  localToken: number;
  /** The other side's token; only of joins that this host opened. */
  remoteToken: number | undefined;
  localId: number;
  remoteId: number;
  flags: SubflowFlags;
}

export interface SubflowFlags {
  /** It is the first subflow (MP_CAPABLE), seen from either side. */
  initial: boolean;
  /** It joined a connection (MP_JOIN). */
  join: boolean;
  /** This host opened it as a join. */
  joinedByUs: boolean;
  /** This host asks the other side to use it as backup only. */
  backupLocal: boolean;
  /** The other side asks for that. */
  backupRemote: boolean;
  fullyEstablished: boolean;
  connected: boolean;
}

const REQUEST_BYTES = 56;
const MESSAGE_BYTES = 72;
const EXT_INFO = 1 << 1;
const REQ_PROTOCOL = 3;
const DIAG_INFO = 2;
const DIAG_ULP_INFO = 19;
const ULP_NAME = 1;
const ULP_MPTCP = 3;
const NO_COOKIE = 0xffff_ffff;

const TOKEN_REM = 1;
const TOKEN_LOC = 2;
const SUBFLOW_FLAGS = 8;
const ID_REM = 9;
const ID_LOC = 10;

const LAST_DATA_RECEIVED = 52;
const LAST_ACK_RECEIVED = 56;

const ALL_STATES = 0xfff;
const LISTEN = 1 << 10;
const TIME_WAIT = 1 << 6;

export interface DiagQuery {
  family: IpFamily;
  protocol: 'tcp' | 'mptcp';
  /** Only these; default: all but TIME_WAIT, and no listeners. */
  states?: number;
  /** Ask for `mptcp_info` or `tcp_info`. */
  info: boolean;
}

export const diagStates = {
  /** Connections in any state but TIME_WAIT. */
  connections: ALL_STATES & ~LISTEN & ~TIME_WAIT,
  established: 1 << 1,
  listeners: LISTEN,
} as const;

/** `struct inet_diag_req_v2` for a listing. */
export function encodeDiagQuery({
  family,
  protocol,
  info,
  states = diagStates.connections,
}: DiagQuery): Uint8Array {
  return finishRequest(protocol, requestHead(family, info, states));
}

/** Asks for the one MPTCP socket with that token, which stands where the cookie does. */
export function encodeTokenQuery(token: number): Uint8Array {
  const head = requestHead(4, true, ALL_STATES);
  viewOf(head).setUint32(48, token, true);
  return finishRequest('mptcp', head);
}

/** Asks for the one TCP socket with these addresses, seen from its own side. */
export function encodePairQuery(local: SocketAddress, remote: SocketAddress, index = 0): Uint8Array {
  const [from, to] = [ipBytes(local.address), ipBytes(remote.address)];
  if (from.byteLength !== to.byteLength) {
    throw new NetlinkArgumentError(`${local.address} and ${remote.address} are not of one family`);
  }
  for (const { port } of [local, remote]) {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) {
      throw new NetlinkArgumentError(`A port is a whole number from 0 to 65535, not ${port}`);
    }
  }
  const head = requestHead(from.byteLength === 4 ? 4 : 6, false, ALL_STATES);
  const view = viewOf(head);
  view.setUint16(8, local.port);
  view.setUint16(10, remote.port);
  head.set(from, 12);
  head.set(to, 28);
  view.setUint32(44, index, true);
  view.setUint32(48, NO_COOKIE, true);
  view.setUint32(52, NO_COOKIE, true);
  return finishRequest('tcp', head);
}

export function decodeMptcpDiag(payload: Uint8Array): MptcpDiagSocket {
  const { head, attributes } = splitHead(payload, MESSAGE_BYTES);
  const info = attributes.bytes(DIAG_INFO);
  return {
    ...socketOf(head),
    info: info === undefined ? undefined : decodeMptcpInfo(struct(info), 0, info.byteLength),
  };
}

/** Reads a TCP socket that is a subflow; `undefined` for all others, which are most: so that is found out first. */
export function decodeSubflowDiag(payload: Uint8Array): SubflowDiagSocket | undefined {
  const { head, attributes } = splitHead(payload, MESSAGE_BYTES);
  const subflow = ulpInfo(attributes.nested(DIAG_ULP_INFO));
  if (subflow === undefined) return undefined;
  const socket = socketOf(head);
  const info = attributes.bytes(DIAG_INFO) ?? new Uint8Array();
  const ends = { id: undefined, local: socket.local, remote: socket.remote };
  return { ...socket, subflow, info: decodeSubflow(ends, struct(info), 0, info.byteLength) };
}

/** A TCP socket, and how long ago something came for it, in milliseconds. */
export interface HeardDiagSocket extends DiagSocket {
  heardMs: number;
}

/** Reads when a TCP socket last got data or an acknowledgement (`struct tcp_info`); `undefined` where the kernel does not tell. */
export function decodeHeardDiag(payload: Uint8Array): HeardDiagSocket | undefined {
  const { head, attributes } = splitHead(payload, MESSAGE_BYTES);
  const info = attributes.bytes(DIAG_INFO);
  if (info === undefined || info.byteLength < LAST_ACK_RECEIVED + 4) return undefined;
  const view = viewOf(info);
  const heardMs = Math.min(view.getUint32(LAST_DATA_RECEIVED, true), view.getUint32(LAST_ACK_RECEIVED, true));
  return { ...socketOf(head), heardMs };
}

/** Reads a TCP socket without its details. */
export function decodeDiagSocket(payload: Uint8Array): DiagSocket {
  return socketOf(splitHead(payload, MESSAGE_BYTES).head);
}

function ulpInfo(ulp: Attributes | undefined): SubflowUlpInfo | undefined {
  if (ulp === undefined || ulp.text(ULP_NAME) !== 'mptcp') return undefined;
  const subflow = ulp.nested(ULP_MPTCP);
  if (subflow === undefined) return undefined;
  const flags = subflow.u32(SUBFLOW_FLAGS) ?? 0;
  const bit = (n: number): boolean => (flags & (1 << n)) !== 0;
  return {
    localToken: subflow.u32(TOKEN_LOC) ?? 0,
    remoteToken: subflow.u32(TOKEN_REM) || undefined,
    localId: subflow.u8(ID_LOC) ?? 0,
    remoteId: subflow.u8(ID_REM) ?? 0,
    flags: {
      initial: bit(0) || bit(1),
      join: bit(2) || bit(3),
      joinedByUs: bit(3),
      backupRemote: bit(4),
      backupLocal: bit(5),
      fullyEstablished: bit(6),
      connected: bit(7),
    },
  };
}

function socketOf(head: DataView): DiagSocket {
  const size = head.getUint8(0) === familyNumber(4) ? 4 : 16;
  const address = (offset: number): string =>
    peerText(new Uint8Array(head.buffer, head.byteOffset + offset, size));
  return {
    state: tcpStates[head.getUint8(1)] ?? 'unknown',
    local: { address: address(8), port: head.getUint16(4) },
    remote: { address: address(24), port: head.getUint16(6) },
    boundIndex: head.getUint32(40, true),
    cookie: head.getBigUint64(44, true),
    receiveQueue: head.getUint32(56, true),
    sendQueue: head.getUint32(60, true),
    uid: head.getUint32(64, true),
    inode: head.getUint32(68, true),
  };
}

function struct(bytes: Uint8Array): StructBytes {
  return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), view: viewOf(bytes) };
}

function requestHead(family: IpFamily, info: boolean, states: number): Uint8Array {
  const head = new Uint8Array(REQUEST_BYTES);
  head[0] = familyNumber(family);
  head[2] = info ? EXT_INFO : 0;
  viewOf(head).setUint32(4, states, true);
  return head;
}

/** 262 does not fit the protocol's byte, so Multipath TCP is named by an attribute. */
function finishRequest(protocol: 'tcp' | 'mptcp', head: Uint8Array): Uint8Array {
  head[1] = protocol === 'tcp' ? IPPROTO_TCP : 0xff;
  return new AttributeWriter(head)
    .u32(REQ_PROTOCOL, protocol === 'mptcp' ? IPPROTO_MPTCP : undefined)
    .finish();
}
