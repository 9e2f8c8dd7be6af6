import { AF_INET, AF_INET6, IPPROTO_TCP } from '../kernel/constants.ts';
import { errnoName } from '../kernel/errno.ts';
import type { SocketAddress } from '../kernel/sockaddr.ts';
import { NLM_F_REQUEST, NLMSG_ERROR, SOCK_DIAG_BY_FAMILY } from './constants.ts';
import { encodePairQuery } from './diag-codec.ts';
import { NetlinkMalformedError, refusal } from './errors.ts';
import { ipBytes, peerText } from './ip-bytes.ts';
import { encodeMessage, HEADER_BYTES } from './message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** Where things are in `struct inet_diag_req_v2` and `struct inet_diag_msg` (include/uapi/linux/inet_diag.h), behind the header. */
const request = {
  family: 16,
  protocol: 17,
  states: 20,
  ports: 24,
  local: 28,
  remote: 44,
  index: 60,
} as const;
const answer = {
  family: 16,
  state: 17,
  ports: 20,
  local: 24,
  remote: 40,
  uid: 80,
  inode: 84,
  end: 88,
} as const;

/** States in which a socket is a program's: TCP_ESTABLISHED to TCP_CLOSING but for SYN_RECV and TIME_WAIT; include/net/tcp_states.h. */
const owned: ReadonlySet<number> = new Set([1, 2, 4, 5, 7, 8, 9, 11]);
const mostAddresses = 64;

/**
 * Asks who owns one connection, as cheaply as the kernel lets: one message there and one back, both in memory that is used again. It is
 * asked for every connection of a proxy.
 */
export class OwnerQuery {
  readonly #socket: NetlinkSocket;
  /** A whole message, in which only the ends of the connection change. */
  readonly #question: Uint8Array;
  readonly #view: DataView;
  readonly #addresses = new Map<string, Uint8Array>();

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    const nobody = { address: '0.0.0.0', port: 0 };
    this.#question = encodeMessage({
      type: SOCK_DIAG_BY_FAMILY,
      flags: NLM_F_REQUEST,
      sequence: 0,
      port: 0,
      payload: encodePairQuery(nobody, nobody),
    });
    this.#view = new DataView(this.#question.buffer);
  }

  /**
   * @param index Of the device to which link-local addresses are tied; 0 for all others.
   * @returns `undefined` when there is no such connection, or no program holds it.
   * @throws as `NetlinkSocket.request`
   */
  ask(local: SocketAddress, remote: SocketAddress, index: number): number | undefined {
    const [from, to] = [this.#bytesOf(local.address), this.#bytesOf(remote.address)];
    // Says what is wrong with the ends.
    if (from.length !== to.length || !isPort(local.port) || !isPort(remote.port))
      encodePairQuery({ ...local, address: plain(local) }, { ...remote, address: plain(remote) });
    this.#write(from, to, local.port, remote.port, index);
    const operation = `find the owner of the connection from ${local.address} port ${local.port}`;
    const bytes = this.#socket.single(operation, this.#question);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (view.getUint16(4, true) === NLMSG_ERROR) {
      const errno = -view.getInt32(HEADER_BYTES, true);
      if (errnoName(errno) === 'ENOENT') return undefined;
      throw refusal(operation, errno);
    }
    if (bytes.length < answer.end) throw new NetlinkMalformedError(`A socket of ${bytes.length} bytes`);
    const isIt =
      owned.has(view.getUint8(answer.state)) &&
      view.getUint32(answer.inode, true) !== 0 &&
      view.getUint16(answer.ports) === local.port &&
      view.getUint16(answer.ports + 2) === remote.port &&
      isAddress(bytes, answer.local, from) &&
      isAddress(bytes, answer.remote, to);
    return isIt ? view.getUint32(answer.uid, true) : undefined;
  }

  #write(from: Uint8Array, to: Uint8Array, fromPort: number, toPort: number, index: number): void {
    const question = this.#question;
    question[request.family] = from.length === 4 ? AF_INET : AF_INET6;
    question[request.protocol] = IPPROTO_TCP;
    this.#view.setUint16(request.ports, fromPort);
    this.#view.setUint16(request.ports + 2, toPort);
    question.fill(0, request.local, request.index);
    question.set(from, request.local);
    question.set(to, request.remote);
    this.#view.setUint32(request.index, index, true);
  }

  /** The bytes of an address as the kernel's tables have it: IPv4 as IPv4. Those of clients are few. */
  #bytesOf(address: string): Uint8Array {
    let bytes = this.#addresses.get(address);
    if (bytes === undefined) {
      bytes = ipBytes(plain({ address }));
      if (this.#addresses.size >= mostAddresses) this.#addresses.clear();
      this.#addresses.set(address, bytes);
    }
    return bytes;
  }
}

/** As the kernel's tables have it: no zone, and IPv4 as IPv4. */
function plain({ address }: Pick<SocketAddress, 'address'>): string {
  return peerText(ipBytes(address.replace(/%.*$/, '')));
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65_535;
}

/** Whether an answer has this address at `at`: sockets of both families tell IPv4 as `::ffff:…`. */
function isAddress(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  const isMapped = wanted.length === 4 && bytes[answer.family] === AF_INET6;
  const offset = isMapped ? at + 12 : at;
  if (isMapped && (bytes[at + 10] !== 0xff || bytes[at + 11] !== 0xff)) return false;
  for (let index = 0; index < wanted.length; index++)
    if (bytes[offset + index] !== wanted[index]) return false;
  return true;
}
