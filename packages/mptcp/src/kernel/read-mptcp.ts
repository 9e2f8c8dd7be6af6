import { MPTCP_FULL_INFO, MPTCP_INFO, MPTCP_SUBFLOW_ADDRS, MPTCP_TCPINFO, SOL_MPTCP } from './constants.ts';
import type { Libc } from './libc.ts';
import {
  decodeFullInfoHead,
  decodeMptcpInfo,
  decodeSubflow,
  decodeSubflowAddrs,
  decodeSubflowDataHead,
  decodeSubflowInfo,
  FULL_INFO_HEAD,
  type MptcpInfo,
  type StructBytes,
  type SubflowInfo,
  structBytes,
} from './structs.ts';

/** What the kernel tells about a Multipath TCP connection. */
export interface MptcpReport {
  info: MptcpInfo;
  subflows: SubflowInfo[];
}

const MPTCP_INFO_ROOM = 128;
const TCP_INFO_ROOM = 320;
const SUBFLOW_INFO_ROOM = 264;
const SUBFLOW_ADDRS_ROOM = 256;
const SUBFLOW_DATA_HEAD = 16;

/** Space for the answers, made once: `info` is called often, and for every connection. */
interface Room {
  /** How many subflows fit. */
  subflows: number;
  full: StructBytes;
  info: StructBytes;
  tcpInfos: StructBytes;
  ends: StructBytes;
}

/** More subflows than the kernel's own path manager makes (8); the userspace one may go beyond. */
const USUAL_SUBFLOWS = 16;

let room: Room | undefined;

function makeRoom(libc: Libc, subflows: number): Room {
  const made: Room = {
    subflows,
    full: structBytes(FULL_INFO_HEAD + MPTCP_INFO_ROOM),
    info: structBytes(MPTCP_INFO_ROOM),
    tcpInfos: structBytes(SUBFLOW_DATA_HEAD + subflows * TCP_INFO_ROOM),
    ends: structBytes(SUBFLOW_DATA_HEAD + subflows * SUBFLOW_INFO_ROOM),
  };
  made.full.view.setBigUint64(24, libc.addressOf(made.ends.bytes), true);
  made.full.view.setBigUint64(32, libc.addressOf(made.tcpInfos.bytes), true);
  room = made;
  return made;
}

/**
 * Everything about the Multipath TCP connection behind `fd`; `undefined` when it is none (any more): then the
 * kernel passes the question on to TCP, which does not know it.
 */
export function readMptcp(libc: Libc, fd: number): MptcpReport | undefined {
  return readFullInfo(libc, fd) ?? readSeparately(libc, fd);
}

/** One call for everything (MPTCP_FULL_INFO, Linux 6.5). */
export function readFullInfo(
  libc: Libc,
  fd: number,
  usualSubflows = USUAL_SUBFLOWS,
): MptcpReport | undefined {
  let space = room ?? makeRoom(libc, usualSubflows);
  for (;;) {
    const { full, tcpInfos, ends } = space;
    full.view.setUint32(0, 0, true);
    full.view.setUint32(4, TCP_INFO_ROOM, true);
    full.view.setUint32(8, 0, true);
    full.view.setUint32(12, SUBFLOW_INFO_ROOM, true);
    full.view.setUint32(16, 0, true);
    full.view.setUint32(20, space.subflows, true);
    const length = libc.tryGetsockopt(fd, SOL_MPTCP, MPTCP_FULL_INFO, full.bytes);
    if (length < FULL_INFO_HEAD) return undefined;
    const head = decodeFullInfoHead(full);
    if (head.subflows > space.subflows) {
      space = makeRoom(libc, head.subflows * 2);
      continue;
    }
    // The kernel lays its records out at the sizes it wrote back, which may be less than those asked for.
    const { tcpInfoSize, subflowInfoSize } = head;
    const subflows: SubflowInfo[] = [];
    for (let i = 0; i < head.subflows; i++) {
      const both = decodeSubflowInfo(ends, i * subflowInfoSize, subflowInfoSize);
      subflows.push(decodeSubflow(both, tcpInfos, i * tcpInfoSize, tcpInfoSize));
    }
    return { info: decodeMptcpInfo(full, FULL_INFO_HEAD, length - FULL_INFO_HEAD), subflows };
  }
}

/**
 * The same in three calls (Linux 5.16 to 6.4). A subflow that comes or goes between them is left out or shown
 * twice once; the next call is right again.
 */
export function readSeparately(
  libc: Libc,
  fd: number,
  usualSubflows = USUAL_SUBFLOWS,
): MptcpReport | undefined {
  let space = room ?? makeRoom(libc, usualSubflows);
  const length = libc.tryGetsockopt(fd, SOL_MPTCP, MPTCP_INFO, space.info.bytes);
  if (length < 0) return undefined;
  const info = decodeMptcpInfo(space.info, 0, length);
  for (;;) {
    const { tcpInfos, ends } = space;
    const times = readArray(libc, fd, MPTCP_TCPINFO, TCP_INFO_ROOM, tcpInfos);
    const places = readArray(libc, fd, MPTCP_SUBFLOW_ADDRS, SUBFLOW_ADDRS_ROOM, ends);
    const most = Math.max(times.subflows, places.subflows);
    if (most > space.subflows) {
      space = makeRoom(libc, most * 2);
      continue;
    }
    const subflows: SubflowInfo[] = [];
    for (let i = 0; i < Math.min(times.subflows, places.subflows); i++) {
      const both = decodeSubflowAddrs(ends, places.headSize + i * places.elementSize, places.elementSize);
      subflows.push(decodeSubflow(both, tcpInfos, times.headSize + i * times.elementSize, times.elementSize));
    }
    return { info, subflows };
  }
}

function readArray(libc: Libc, fd: number, option: number, elementRoom: number, into: StructBytes) {
  into.view.setUint32(0, SUBFLOW_DATA_HEAD, true);
  into.view.setUint32(4, 0, true);
  into.view.setUint32(8, 0, true);
  into.view.setUint32(12, elementRoom, true);
  const length = libc.tryGetsockopt(fd, SOL_MPTCP, option, into.bytes);
  return length < SUBFLOW_DATA_HEAD
    ? { headSize: 0, subflows: 0, elementSize: 0 }
    : decodeSubflowDataHead(into);
}
