import type * as net from 'node:net';
import { unmappedAddress } from '@manypath/core';
import { tryFdOf } from './descriptor.ts';
import {
  IPPROTO_MPTCP,
  SO_PROTOCOL,
  SOL_SOCKET,
  SOL_TCP,
  TCP_INFO,
  TCP_IS_MPTCP,
} from './kernel/constants.ts';
import { type Libc, tryLibc } from './kernel/libc.ts';
import { type MptcpReport, readMptcp } from './kernel/read-mptcp.ts';
import { decodeSubflow, type SubflowInfo, structBytes } from './kernel/structs.ts';
import { recall, type SocketMemory, shareMemory } from './memory.ts';
import type { InfoReason } from './reasons.ts';
import type { SocketInfo } from './socket-info.ts';

/**
 * Tells what a connection is made of. Works for sockets of `connect` and `createServer`, for TLS sockets on top
 * of them, and for any other socket of Node. Costs a few microseconds and no privilege. Linux before 5.16 does not
 * tell about Multipath TCP: there every such connection looks like `peer-refused`.
 *
 * After close it returns what the last call saw, with reason `closed` and the byte counts as Node has them: to
 * have the last word of every subflow, call it before `destroy`.
 */
export function info(socket: net.Socket): SocketInfo {
  const memory = recall(socket);
  const fd = tryFdOf(socket);
  const libc = tryLibc();
  if (fd === undefined) {
    // Where sockets have no descriptor at all (Windows), an open one is plain TCP.
    if (libc === undefined && !socket.destroyed) return plainInfo(socket, memory, memory.plainReason);
    return closedInfo(socket, memory.last ?? plainInfo(socket, memory, 'closed'));
  }
  const plain = libc === undefined;
  const asked = plain ? plainInfo(socket, memory, memory.plainReason) : read(libc, fd, socket, memory);
  const found = memory.device === undefined ? asked : { ...asked, device: memory.device };
  memory.last = found;
  return found;
}

function read(libc: Libc, fd: number, socket: net.Socket, memory: SocketMemory): SocketInfo {
  memory.protocol ??= readProtocol(libc, fd);
  if (memory.protocol === 'tcp')
    return plainInfo(socket, memory, memory.plainReason, readTcp(libc, fd, socket));
  const report = readMptcp(libc, fd);
  if (report === undefined || report.info.fallback) {
    const reason = memory.wasMultipath ? 'fallback' : 'peer-refused';
    return plainInfo(socket, memory, reason, readTcp(libc, fd, socket));
  }
  memory.wasMultipath = true;
  return multipathInfo(report);
}

function multipathInfo({ info: whole, subflows }: MptcpReport): SocketInfo {
  const sum = (of: (subflow: SubflowInfo) => number): number =>
    subflows.reduce((total, one) => total + of(one), 0);
  return {
    protocol: 'mptcp',
    multipath: true,
    reason: 'multipath',
    ...(whole.token === undefined ? {} : { token: whole.token }),
    subflowCount: subflows.length,
    flags: {
      fallback: false,
      remoteKeyReceived: whole.remoteKeyReceived,
      checksum: whole.checksum ?? false,
    },
    bytesSent: whole.bytesSent ?? sum(one => one.bytesSent),
    bytesReceived: whole.bytesReceived ?? sum(one => one.bytesReceived),
    bytesAcked: whole.bytesAcked ?? sum(one => one.bytesAcked),
    bytesRetransmitted: whole.bytesRetransmitted ?? 0,
    retransmits: whole.retransmits ?? 0,
    subflows,
  };
}

/** A connection of one TCP leg. Without kernel figures the byte counts are Node's. */
function plainInfo(
  socket: net.Socket,
  memory: SocketMemory,
  reason: InfoReason,
  subflows: SubflowInfo[] = [],
): SocketInfo {
  const [only] = subflows;
  const bytesSent = only === undefined ? socket.bytesWritten : only.bytesSent - only.bytesRetransmitted;
  return {
    protocol: memory.protocol ?? 'tcp',
    multipath: false,
    reason,
    subflowCount: reason === 'closed' ? 0 : 1,
    flags: { fallback: reason === 'fallback', remoteKeyReceived: false, checksum: false },
    bytesSent,
    bytesReceived: only?.bytesReceived ?? socket.bytesRead,
    // TCP counts its SYN as an acknowledged byte.
    bytesAcked: Math.min(only?.bytesAcked ?? 0, bytesSent),
    bytesRetransmitted: only?.bytesRetransmitted ?? 0,
    retransmits: only?.retransmits ?? 0,
    subflows,
  };
}

/** The last answer, with the byte counts that Node keeps beyond the close where they go further. */
function closedInfo(socket: net.Socket, last: SocketInfo): SocketInfo {
  return {
    ...last,
    reason: 'closed',
    bytesSent: Math.max(last.bytesSent, socket.bytesWritten),
    bytesReceived: Math.max(last.bytesReceived, socket.bytesRead),
  };
}

function readProtocol(libc: Libc, fd: number): 'mptcp' | 'tcp' {
  return libc.tryGetsockoptInt(fd, SOL_SOCKET, SO_PROTOCOL) === IPPROTO_MPTCP ? 'mptcp' : 'tcp';
}

const tcpInfo = structBytes(512);

function readTcp(libc: Libc, fd: number, socket: net.Socket): SubflowInfo[] {
  const length = libc.tryGetsockopt(fd, SOL_TCP, TCP_INFO, tcpInfo.bytes);
  if (length < 0) return [];
  const ends = {
    id: undefined,
    local: { address: unmappedAddress(socket.localAddress ?? ''), port: socket.localPort ?? 0 },
    remote: { address: unmappedAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 },
  };
  return [decodeSubflow(ends, tcpInfo, 0, length)];
}

/**
 * Notes whether a fresh connection is multipath. Asked once at its beginning, because later nobody can tell a
 * peer that never spoke it from a connection that fell back.
 */
export function noteMultipath(socket: net.Socket): void {
  const memory = recall(socket);
  shareMemory(socket, memory);
  const fd = tryFdOf(socket);
  const libc = tryLibc();
  if (fd === undefined || libc === undefined || memory.protocol !== 'mptcp') return;
  const answer = libc.tryGetsockoptInt(fd, SOL_TCP, TCP_IS_MPTCP);
  // Linux before 6.10 does not know the question; MPTCP_INFO then fails on anything but Multipath TCP.
  memory.wasMultipath = answer < 0 ? readMptcp(libc, fd) !== undefined : answer === 1;
}
