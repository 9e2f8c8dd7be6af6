import { constants } from 'node:os';

/** The calls of the C library that packet sockets need. */
export interface PacketCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): void;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array | number): void;
  recv(fd: number, buffer: Uint8Array, flags: number): number | undefined;
  send(fd: number, bytes: Uint8Array, flags?: number): number;
  close(fd: number): void;
  pollReadable(fd: number, callback: () => void): { close(): void };
}

// packet(7), include/uapi/linux/if_packet.h, if_ether.h
const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const ETH_P_ALL = 0x0003;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_QDISC_BYPASS = 20;
const PACKET_IGNORE_OUTGOING = 23;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;

/** Room for what arrives while the process waits for a processor: 100 ms at 1 Gbit/s and more. */
const socketBufferBytes = 32 * 1024 * 1024;

/** struct virtio_net_hdr (10 bytes), then the largest frame the kernel aggregates. */
export const largestFrame = 10 + 14 + 65_536 + 4;

/**
 * Every frame that an interface receives, and a way to send frames from it.
 *
 * Frames carry the `virtio_net_hdr` in front (PACKET_VNET_HDR), so the kernel hands over what it aggregated and
 * segments it again behind us: a few thousand calls a second at hundreds of Mbit/s instead of tens of thousands.
 */
export class PacketSocket {
  readonly #calls: PacketCalls;
  readonly #fd: number;
  #watch: { close(): void } | undefined;

  constructor(calls: PacketCalls, interfaceIndex: number) {
    this.#calls = calls;
    // Protocol 0 receives nothing until bind names one: nothing of other interfaces slips in before.
    this.#fd = calls.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0);
    calls.setsockopt(this.#fd, SOL_PACKET, PACKET_VNET_HDR, 1);
    calls.setsockopt(this.#fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    calls.setsockopt(this.#fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    enlarge(calls, this.#fd, SO_RCVBUFFORCE, SO_RCVBUF);
    enlarge(calls, this.#fd, SO_SNDBUFFORCE, SO_SNDBUF);
    calls.bind(this.#fd, linkLayerAddress(interfaceIndex));
  }

  /** A frame into `buffer`: its length, or `undefined` when none waits. */
  receive(buffer: Uint8Array): number | undefined {
    try {
      return this.#calls.recv(this.#fd, buffer, MSG_DONTWAIT);
    } catch (error) {
      if (isPassing(error)) return undefined;
      throw error;
    }
  }

  /** Sends a frame. `false` when the interface cannot take it, which loses it as a cable would. */
  send(frame: Uint8Array): boolean {
    try {
      this.#calls.send(this.#fd, frame, MSG_DONTWAIT);
      return true;
    } catch (error) {
      if (isPassing(error)) return false;
      throw error;
    }
  }

  /** Calls `callback` whenever a frame waits. */
  onReadable(callback: () => void): void {
    this.#watch = this.#calls.pollReadable(this.#fd, callback);
  }

  /** Ends it; frames that wait are lost. */
  close(): void {
    this.#watch?.close();
    this.#calls.close(this.#fd);
  }
}

/** Beyond the machine's limit where that is allowed; in a user namespace it is not, and slower links do without. */
function enlarge(calls: PacketCalls, fd: number, force: number, ask: number): void {
  try {
    calls.setsockopt(fd, SOL_SOCKET, force, socketBufferBytes);
  } catch {
    calls.setsockopt(fd, SOL_SOCKET, ask, socketBufferBytes);
  }
}

/** struct sockaddr_ll: family, protocol in network order, interface, and eight bytes that bind(2) ignores. */
function linkLayerAddress(interfaceIndex: number): Uint8Array {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16BE(ETH_P_ALL, 2);
  bytes.writeInt32LE(interfaceIndex, 4);
  return bytes;
}

/** What happens to an interface that is down, full or just changing; it is no fault of the wire. */
const passing = new Set([
  constants.errno.ENETDOWN,
  constants.errno.ENOBUFS,
  constants.errno.EAGAIN,
  constants.errno.ENXIO,
  constants.errno.EINVAL,
  constants.errno.EMSGSIZE,
]);

function isPassing(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return false;
  return typeof error.errno === 'number' && passing.has(Math.abs(error.errno) as never);
}
