import type { SocketAddress } from '../kernel/sockaddr.ts';
import type { MptcpInfo, SubflowInfo, TcpState } from '../kernel/structs.ts';
import { NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY } from './constants.ts';
import { Devices } from './devices.ts';
import {
  type DiagSocket,
  decodeDiagSocket,
  decodeHeardDiag,
  decodeMptcpDiag,
  decodeSubflowDiag,
  diagStates,
  encodeDiagQuery,
  encodePairQuery,
  encodeTokenQuery,
  type HeardDiagSocket,
  type MptcpDiagSocket,
  type SubflowDiagSocket,
  type SubflowFlags,
} from './diag-codec.ts';
import { isRefusal, NetlinkUnsupportedError } from './errors.ts';
import { ipBytes, peerText } from './ip-bytes.ts';
import type { NetlinkMessage } from './message.ts';
import { type NetlinkOptions, NetlinkSocket } from './netlink-socket.ts';
import { OwnerQuery } from './owner-query.ts';

/** A Multipath TCP connection, or a listener, of any program in the network namespace. */
export interface DiagConnection {
  /** Names it in this network namespace; 0 for a listener. */
  token: number;
  state: TcpState;
  local: SocketAddress;
  remote: SocketAddress;
  /** User who owns it; `undefined` when no program holds it any more. */
  uid: number | undefined;
  /** Number of its socket in the file system (`/proc/PID/fd`); 0 when no program holds it any more. */
  inode: number;
  /** Names the socket as long as it lives. */
  cookie: bigint;
  /** Bytes received and not yet read; for a listener, connections not yet accepted. */
  receiveQueue: number;
  /** Bytes written and not yet acknowledged; for a listener, the most connections that may wait. */
  sendQueue: number;
  /** `undefined` where the kernel tells nothing. */
  info: MptcpInfo | undefined;
  subflows: DiagSubflow[];
}

/** One TCP leg of a connection, with its `tcp_info`. Times are milliseconds, rates bytes a second. */
export interface DiagSubflow extends SubflowInfo, SubflowFlags {
  /** Address ids of both ends (RFC 8684 §3.2); 0 is the address of the first subflow. */
  localId: number;
  remoteId: number;
  /** The other side's token; only of joins that this host opened. */
  remoteToken: number | undefined;
  /** Either side asks for it to be used as backup only. */
  backup: boolean;
  /** Number of the device it is bound to; `undefined` when routing decides. */
  index: number | undefined;
  /** Name of that device. */
  device: string | undefined;
  cookie: bigint;
}

export interface DiagFilter {
  /** Only the connection with this token. */
  token?: number;
  /** Only connections that can carry data both ways. Default false: also those that open or close. */
  establishedOnly?: boolean;
  /** Listeners, too. Default false. */
  listeners?: boolean;
  /** Leave `subflows` empty, which spares a walk over all TCP sockets. Default true. */
  subflows?: boolean;
}

/**
 * The kernel's socket tables of one network namespace (sock_diag(7)), for asking more than once. Needs no privilege,
 * for the sockets of other users neither. A listing walks the whole table: 0.1 ms and more, so not for every packet.
 *
 * All methods throw `NetlinkError` `MPTCP_NETLINK_FAILED`, `NetlinkUnsupportedError` `MPTCP_NETLINK_UNSUPPORTED`
 * (a kernel without CONFIG_INET_MPTCP_DIAG) and `NetlinkClosedError` `MPTCP_NETLINK_CLOSED`.
 */
export class DiagReader {
  readonly #socket: NetlinkSocket;
  readonly #devices: Devices;
  readonly #owners: OwnerQuery;

  static open(options: NetlinkOptions = {}): DiagReader {
    return new DiagReader(options);
  }

  private constructor(options: NetlinkOptions) {
    this.#socket = new NetlinkSocket(NETLINK_SOCK_DIAG, options);
    this.#owners = new OwnerQuery(this.#socket);
    try {
      this.#devices = new Devices(options);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Every Multipath TCP connection with its subflows; those that fell back to TCP are none any more. */
  connections(filter: DiagFilter = {}): DiagConnection[] {
    const sockets = filter.token === undefined ? this.#list(filter) : this.#byToken(filter.token, filter);
    const wanted = filter.subflows === false || sockets.length === 0 ? [] : this.#subflows();
    const names = wanted.some(({ boundIndex }) => boundIndex !== 0) ? this.#devices.names() : new Map();
    const byToken = new Map<number, DiagSubflow[]>();
    for (const socket of wanted) {
      const list = byToken.get(socket.subflow.localToken);
      const subflow = subflowOf(socket, names);
      if (list === undefined) byToken.set(socket.subflow.localToken, [subflow]);
      else list.push(subflow);
    }
    return sockets.map(socket => {
      const token = socket.info?.token ?? 0;
      const subflows = (socket.state === 'listen' ? undefined : byToken.get(token)) ?? [];
      // The first subflow first, then in the order of address ids: the kernel's order is that of its hash table.
      subflows.sort((a, b) => Number(b.initial) - Number(a.initial) || a.localId - b.localId);
      return connectionOf(socket, token, subflows);
    });
  }

  /**
   * The user who owns the TCP socket, or the subflow, whose own address is `local` and whose peer is `remote`; for a
   * connection of this host to itself, that is the program at the other end when the two are swapped. `undefined` when
   * there is no such connection, and when no program holds it any more: the kernel then says 0, which is not to be
   * taken for root.
   *
   * A user id that this process's user namespace does not know comes as 65534.
   */
  ownerUid(local: SocketAddress, remote: SocketAddress): number | undefined {
    return this.#owners.ask(local, remote, this.#zoneIndex(local, remote));
  }

  /**
   * The device that the TCP socket with these ends is bound to, of those with the numbers `indexes`; `undefined` when it is bound to
   * none of them, or not there.
   */
  boundDevice(local: SocketAddress, remote: SocketAddress, indexes: readonly number[]): number | undefined {
    return indexes.find(index => {
      const request = {
        operation: `find the device of the connection from ${local.address} port ${local.port}`,
        type: SOCK_DIAG_BY_FAMILY,
        payload: encodePairQuery(bare(local), bare(remote), index),
      };
      const [socket] = whenThere(() => this.#socket.request(request, only(decodeDiagSocket))) ?? [];
      return socket?.boundIndex === index;
    });
  }

  /** Every established TCP socket, subflows among them, with how long ago something came for it. */
  lastHeard(): HeardDiagSocket[] {
    return this.#dump('list the TCP connections', 'tcp', diagStates.established, decodeHeardDiag);
  }

  close(): void {
    this.#socket.close();
    this.#devices.close();
  }

  /** Sockets with link-local addresses are tied to a device, and are found only by it. */
  #zoneIndex(local: SocketAddress, remote: SocketAddress): number {
    if (!local.address.includes('%') && !remote.address.includes('%')) return 0;
    const ends = [local, remote];
    const zone = ends.map(({ address }) => address.split('%')[1]).find(name => name !== undefined);
    if (zone === undefined) return 0;
    return /^\d+$/.test(zone) ? Number(zone) : this.#devices.indexOf(zone);
  }

  #list({ establishedOnly = false, listeners = false }: DiagFilter): MptcpDiagSocket[] {
    const states =
      (establishedOnly ? diagStates.established : diagStates.connections) |
      (listeners ? diagStates.listeners : 0);
    return this.#dump('list the Multipath TCP connections', 'mptcp', states, decodeMptcpDiag);
  }

  #byToken(token: number, { establishedOnly = false }: DiagFilter): MptcpDiagSocket[] {
    const request = {
      operation: `find the Multipath TCP connection ${token.toString(16).padStart(8, '0')}`,
      type: SOCK_DIAG_BY_FAMILY,
      payload: encodeTokenQuery(token),
    };
    const found = whenThere(() => this.#socket.request(request, only(decodeMptcpDiag))) ?? [];
    return found.filter(({ state }) => !establishedOnly || state === 'established');
  }

  #subflows(): SubflowDiagSocket[] {
    return this.#dump('list the subflows', 'tcp', diagStates.connections, decodeSubflowDiag);
  }

  #dump<T extends DiagSocket>(
    operation: string,
    protocol: 'tcp' | 'mptcp',
    states: number,
    decode: (payload: Uint8Array) => T | undefined,
  ): T[] {
    const found = new Map<bigint, T>();
    for (const family of [4, 6] as const) {
      const payload = encodeDiagQuery({ family, protocol, states, info: true });
      try {
        const rows = this.#socket.dump({ operation, type: SOCK_DIAG_BY_FAMILY, payload }, only(decode));
        for (const row of rows) found.set(row.cookie, row);
      } catch (error) {
        if (isRefusal(error, 'ENOENT') && protocol === 'mptcp' && family === 4) throw withoutDiag(operation);
        // A kernel without IPv6 has no sockets of it.
        if (!isRefusal(error, 'ENOENT') || family === 4) throw error;
      }
    }
    return [...found.values()];
  }
}

/**
 * Every Multipath TCP connection of this network namespace, or of `options.namespace`, with its subflows. Needs no
 * privilege.
 *
 * @throws as `DiagReader`
 */
export function diag(options: DiagFilter & NetlinkOptions = {}): DiagConnection[] {
  return withReader(options, reader => reader.connections(options));
}

/** As `DiagReader.ownerUid`, for one question. */
export function socketOwnerUid(
  local: SocketAddress,
  remote: SocketAddress,
  options: NetlinkOptions = {},
): number | undefined {
  return withReader(options, reader => reader.ownerUid(local, remote));
}

function withReader<T>(options: NetlinkOptions, ask: (reader: DiagReader) => T): T {
  const reader = DiagReader.open(options);
  try {
    return ask(reader);
  } finally {
    reader.close();
  }
}

function connectionOf(socket: MptcpDiagSocket, token: number, subflows: DiagSubflow[]): DiagConnection {
  return {
    token,
    state: socket.state,
    local: socket.local,
    remote: socket.remote,
    uid: isOwned(socket) ? socket.uid : undefined,
    inode: socket.inode,
    cookie: socket.cookie,
    receiveQueue: socket.receiveQueue,
    sendQueue: socket.sendQueue,
    info: socket.info,
    subflows,
  };
}

function subflowOf(
  { info, state, subflow, boundIndex, cookie }: SubflowDiagSocket,
  names: ReadonlyMap<number, string>,
): DiagSubflow {
  const { flags, localId, remoteId, remoteToken } = subflow;
  return {
    ...info,
    ...flags,
    state,
    localId,
    remoteId,
    remoteToken,
    backup: flags.backupLocal || flags.backupRemote,
    index: boundIndex || undefined,
    device: names.get(boundIndex),
    cookie,
  };
}

/** Sockets that were closed, and connections not yet accepted, are told with user 0: that is not root. */
function isOwned({ inode, state }: DiagSocket): boolean {
  return inode !== 0 && state !== 'time-wait' && state !== 'new-syn-received' && state !== 'syn-received';
}

/** As the kernel's tables have it: no zone, and IPv4 as IPv4, which sockets of both families tell as `::ffff:…`. */
function bare({ address, port }: SocketAddress): SocketAddress {
  return { address: peerText(ipBytes(address.replace(/%.*$/, ''))), port };
}

function only<T>(decode: (payload: Uint8Array) => T | undefined): (message: NetlinkMessage) => T | undefined {
  return ({ type, payload }) => (type === SOCK_DIAG_BY_FAMILY ? decode(payload) : undefined);
}

function whenThere<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (isRefusal(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function withoutDiag(operation: string): NetlinkUnsupportedError {
  return new NetlinkUnsupportedError(operation, 'this kernel does not tell of them', {
    hint: 'It needs Linux 5.9 or later, built with CONFIG_INET_MPTCP_DIAG (a module may have to be loaded).',
  });
}
