import { errnoName } from '../kernel/errno.ts';
import type { SocketAddress } from '../kernel/sockaddr.ts';
import { type Attributes, splitHead } from './attributes.ts';
import { GENERIC_HEAD_BYTES } from './generic-family.ts';
import { peerText } from './ip-bytes.ts';

/** A subflow as events tell of it. */
export interface SubflowEvent {
  token: number;
  local: SocketAddress;
  remote: SocketAddress;
  /** Address ids of both ends (RFC 8684 §3.2); 0 is the address of the first subflow. */
  localId: number;
  remoteId: number;
  /** The other side asks for it to be used as backup only; what this side asks for, `diag` tells. */
  backup: boolean;
  /** Number of the device it is bound to. */
  index: number | undefined;
  /** Why it ended, e.g. `ETIMEDOUT`, `ECONNREFUSED`, `ENETUNREACH`; `undefined` for a good end. */
  error: string | undefined;
  /** Why the other side reset it (RFC 8684 §3.6): 1 MPTCP error, 2 no resources, 3 prohibited, 4 too much outstanding data, 5 bad performance, 6 middlebox. */
  resetReason: number | undefined;
  /** Whether a reset may pass with time (the T flag). */
  resetTransient: boolean;
}

/** A connection as events tell of it. */
export interface ConnectionEvent {
  /** The connection's name in its network namespace (RFC 8684 §3.2). */
  token: number;
  local: SocketAddress;
  remote: SocketAddress;
  /** This host accepted it. */
  serverSide: boolean;
  /** The other side wants no more subflows to the address of the first one (RFC 8684 §3.1, C flag). */
  denyJoinId0: boolean;
}

/** What happens to the Multipath TCP connections of a network namespace. Device numbers are those of rtnetlink. */
export type PathManagerEvent =
  /** The first handshake is under way, or done. Long before `established` on a connection that carries nothing. */
  | ({ type: 'created' } & ConnectionEvent)
  /** Subflows may be created now. */
  | ({ type: 'established' } & ConnectionEvent)
  | { type: 'closed'; token: number }
  /** The other side told of an address; `port` undefined means that of the connection. */
  | { type: 'announced'; token: number; remoteId: number; address: string; port: number | undefined }
  /** The other side withdrew an address. */
  | { type: 'removed'; token: number; remoteId: number }
  | ({ type: 'subflow-established' } & SubflowEvent)
  | ({ type: 'subflow-closed' } & SubflowEvent)
  /** The other side made it backup, or no longer so. */
  | ({ type: 'subflow-priority' } & SubflowEvent)
  | { type: 'listener-created'; local: SocketAddress }
  | { type: 'listener-closed'; local: SocketAddress }
  /** Some events got lost: ask `diag` what there is. */
  | { type: 'overrun' };

const TOKEN = 1;
const LOC_ID = 3;
const REM_ID = 4;
const SADDR4 = 5;
const SADDR6 = 6;
const DADDR4 = 7;
const DADDR6 = 8;
const SPORT = 9;
const DPORT = 10;
const BACKUP = 11;
const ERROR = 12;
const FLAGS = 13;
const IF_IDX = 15;
const RESET_REASON = 16;
const RESET_FLAGS = 17;
const SERVER_SIDE = 18;

const FLAG_DENY_JOIN_ID0 = 1;
const FLAG_SERVER_SIDE = 2;
const RESET_TRANSIENT = 1;

/** Reads a message of the group `mptcp_pm_events`; `undefined` for events unknown here. */
export function decodePathManagerEvent(payload: Uint8Array): PathManagerEvent | undefined {
  const { head, attributes } = splitHead(payload, GENERIC_HEAD_BYTES);
  const token = attributes.u32(TOKEN) ?? 0;
  const remoteId = attributes.u8(REM_ID) ?? 0;
  switch (head.getUint8(0)) {
    case 1:
      return { type: 'created', ...connection(attributes) };
    case 2:
      return { type: 'established', ...connection(attributes) };
    case 3:
      return { type: 'closed', token };
    case 6: {
      const { address, port } = remoteOf(attributes);
      return { type: 'announced', token, remoteId, address, port: port || undefined };
    }
    case 7:
      return { type: 'removed', token, remoteId };
    case 10:
      return { type: 'subflow-established', ...subflow(attributes) };
    case 11:
      return { type: 'subflow-closed', ...subflow(attributes) };
    case 13:
      return { type: 'subflow-priority', ...subflow(attributes) };
    case 15:
      return { type: 'listener-created', local: localOf(attributes) };
    case 16:
      return { type: 'listener-closed', local: localOf(attributes) };
    default:
      return undefined;
  }
}

function connection(attributes: Attributes): ConnectionEvent {
  const flags = attributes.u16(FLAGS) ?? 0;
  return {
    token: attributes.u32(TOKEN) ?? 0,
    local: localOf(attributes),
    remote: remoteOf(attributes),
    // Since Linux 6.18 it is a flag, too.
    serverSide: attributes.u8(SERVER_SIDE) === 1 || (flags & FLAG_SERVER_SIDE) !== 0,
    denyJoinId0: (flags & FLAG_DENY_JOIN_ID0) !== 0,
  };
}

function subflow(attributes: Attributes): SubflowEvent {
  const error = attributes.u8(ERROR) ?? 0;
  return {
    token: attributes.u32(TOKEN) ?? 0,
    local: localOf(attributes),
    remote: remoteOf(attributes),
    localId: attributes.u8(LOC_ID) ?? 0,
    remoteId: attributes.u8(REM_ID) ?? 0,
    backup: (attributes.u8(BACKUP) ?? 0) !== 0,
    index: attributes.s32(IF_IDX) || undefined,
    error: error === 0 ? undefined : errnoName(error),
    resetReason: attributes.u32(RESET_REASON),
    resetTransient: ((attributes.u32(RESET_FLAGS) ?? 0) & RESET_TRANSIENT) !== 0,
  };
}

function localOf(attributes: Attributes): SocketAddress {
  return end(attributes, SADDR4, SADDR6, SPORT);
}

function remoteOf(attributes: Attributes): SocketAddress {
  return end(attributes, DADDR4, DADDR6, DPORT);
}

function end(attributes: Attributes, v4: number, v6: number, port: number): SocketAddress {
  const bytes = attributes.bytes(v4) ?? attributes.bytes(v6);
  return { address: bytes === undefined ? '' : peerText(bytes), port: attributes.u16be(port) ?? 0 };
}
