import { randomBytes } from 'node:crypto';
import { SystemCallError } from './errors.ts';
import {
  AF_INET,
  AF_INET6,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_IP,
  SOL_IPV6,
} from './kernel/constants.ts';
import { type Libc, tryLibc } from './kernel/libc.ts';
import { encodeSockaddr, familyOf } from './kernel/sockaddr.ts';
import { bindToDevice } from './open-socket.ts';

export interface EchoOptions {
  /** Who is asked. */
  readonly address: string;
  /** Network device to leave through. */
  readonly device: string;
  /** Sizes of the packets, IP header included, in bytes. They are not to be fragmented. */
  readonly sizes: readonly number[];
  /** How long to wait for answers at most, in milliseconds. */
  readonly timeoutMs: number;
  /** When one came, how long to wait for the others, in round trips and milliseconds beyond them. Default 2 and 40. */
  readonly graceRoundTrips?: number;
  readonly graceMs?: number;
  readonly signal?: AbortSignal;
}

/** What came of asking. */
export interface EchoAnswer {
  /** Sizes that were answered, by packets as large. */
  readonly answered: ReadonlySet<number>;
  /** A router on the way said that a packet was too large for it (ICMP), as it should. */
  readonly toldTooLarge: boolean;
}

const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const IP_MTU_DISCOVER = 10;
const IP_RECVERR = 11;
const IPV6_MTU_DISCOVER = 23;
const IPV6_RECVERR = 25;
/** IP_PMTUDISC_PROBE: never fragment, and mind the device's own limit only. */
const PMTUDISC_PROBE = 3;
/** Echo request and reply of both families: RFC 792, RFC 4443 §4. */
const types = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;
const headerBytes = { 4: 28, 6: 48 } as const;
const nonceBytes = 8;
/** Each is asked twice, so that one lost packet says nothing; how long after the first, in milliseconds. */
const againMs = 50;

/**
 * Asks a host for echoes (ping) of several sizes over one device. Needs `net.ipv4.ping_group_range`, as most systems set it, or CAP_NET_RAW.
 *
 * @returns `undefined` when this process may not ask, or nothing leads there.
 */
export async function askEcho(options: EchoOptions): Promise<EchoAnswer | undefined> {
  const libc = tryLibc();
  if (libc === undefined || options.signal?.aborted) return undefined;
  const socket = openEchoSocket(libc, options);
  if (socket === undefined) return undefined;
  try {
    return await new EchoRound(libc, socket, options).answer;
  } finally {
    libc.close(socket.fd);
  }
}

interface EchoSocket {
  readonly fd: number;
  readonly family: 4 | 6;
  /** What is received begins with the IP header. */
  readonly isRaw: boolean;
}

function openEchoSocket(libc: Libc, { address, device }: EchoOptions): EchoSocket | undefined {
  const family = familyOf(address) === AF_INET ? 4 : 6;
  const [domain, protocol] = family === 4 ? [AF_INET, IPPROTO_ICMP] : [AF_INET6, IPPROTO_ICMPV6];
  for (const type of [SOCK_DGRAM, SOCK_RAW]) {
    const fd = libc.trySocket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) continue;
    const [level, discover, errors] =
      family === 4 ? [SOL_IP, IP_MTU_DISCOVER, IP_RECVERR] : [SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_RECVERR];
    try {
      bindToDevice(libc, fd, device);
      libc.setsockopt(fd, level, discover, PMTUDISC_PROBE);
      libc.trySetsockopt(fd, level, errors, 1);
    } catch {
      libc.close(fd);
      return undefined;
    }
    return { fd, family, isRaw: type === SOCK_RAW && family === 4 };
  }
  return undefined;
}

class EchoRound {
  readonly answer: Promise<EchoAnswer | undefined>;
  readonly #libc: Libc;
  readonly #socket: EchoSocket;
  readonly #options: EchoOptions;
  readonly #nonce = randomBytes(nonceBytes);
  readonly #answered = new Set<number>();
  readonly #began = performance.now();
  readonly #release: (() => void)[] = [];
  #toldTooLarge = false;
  #hasSent = false;
  #end: () => void = () => {};

  constructor(libc: Libc, socket: EchoSocket, options: EchoOptions) {
    this.#libc = libc;
    this.#socket = socket;
    this.#options = options;
    this.answer = new Promise(resolve => {
      this.#end = () => {
        for (const release of this.#release.splice(0)) release();
        const { signal } = options;
        const isKnown = this.#hasSent && signal?.aborted !== true;
        resolve(isKnown ? { answered: this.#answered, toldTooLarge: this.#toldTooLarge } : undefined);
      };
      this.#begin();
    });
  }

  #begin(): void {
    const { timeoutMs, signal } = this.#options;
    const watch = this.#libc.pollReadable(this.#socket.fd, () => this.#receive());
    this.#release.push(() => watch.close());
    this.#after(timeoutMs, () => this.#end());
    this.#after(againMs, () => this.#send());
    const onAbort = () => this.#end();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#release.push(() => signal?.removeEventListener('abort', onAbort));
    this.#send();
  }

  #after(milliseconds: number, act: () => void): void {
    const timer = setTimeout(act, milliseconds);
    this.#release.push(() => clearTimeout(timer));
  }

  #send(): void {
    const { address, sizes } = this.#options;
    const { fd, family } = this.#socket;
    const place = encodeSockaddr(address, 0);
    for (const [sequence, size] of sizes.entries()) {
      if (this.#answered.has(size)) continue;
      const packet = Buffer.alloc(size - headerBytes[family] + 8);
      packet[0] = types[family].request;
      packet.writeUInt16BE(sequence, 6);
      this.#nonce.copy(packet, 8);
      packet.writeUInt16BE(checksum(packet), 2);
      try {
        this.#libc.sendTo(fd, packet, MSG_DONTWAIT, place);
        this.#hasSent = true;
      } catch (error) {
        if (!this.#isTooLarge(error)) return;
      }
    }
  }

  #receive(): void {
    const buffer = Buffer.alloc(65_536);
    for (;;) {
      let length: number | undefined;
      try {
        length = this.#libc.recv(this.#socket.fd, buffer, MSG_DONTWAIT);
      } catch (error) {
        // What a router refuses comes as an error of the socket, once.
        if (this.#isTooLarge(error)) this.#end();
        return;
      }
      if (length === undefined) return;
      this.#take(buffer.subarray(0, length));
    }
  }

  #isTooLarge(error: unknown): boolean {
    const isTooLarge = error instanceof SystemCallError && error.errnoName === 'EMSGSIZE';
    if (isTooLarge) this.#toldTooLarge = true;
    return isTooLarge;
  }

  #take(received: Buffer): void {
    const { family, isRaw } = this.#socket;
    const message = isRaw ? received.subarray(((received[0] ?? 0) & 0x0f) * 4) : received;
    if (message[0] !== types[family].reply || message.length < 8 + nonceBytes) return;
    if (!message.subarray(8, 8 + nonceBytes).equals(this.#nonce)) return;
    const { sizes, graceRoundTrips = 2, graceMs = 40 } = this.#options;
    const size = sizes[message.readUInt16BE(6)];
    if (size === undefined || message.length !== size - headerBytes[family] + 8) return;
    this.#answered.add(size);
    if (this.#answered.size === sizes.length) this.#end();
    else this.#after(graceRoundTrips * (performance.now() - this.#began) + graceMs, () => this.#end());
  }
}

/** RFC 1071. The kernel writes it itself except on raw sockets of IPv4. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  if (bytes.length % 2 === 1) sum += (bytes.at(-1) ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
