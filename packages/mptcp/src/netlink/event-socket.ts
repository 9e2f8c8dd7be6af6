import type { ManypathError } from '@manypath/core';
import { SystemCallError } from '../errors.ts';
import { MSG_DONTWAIT, SO_RCVBUF, SOL_SOCKET } from '../kernel/constants.ts';
import type { Libc } from '../kernel/libc.ts';
import {
  AF_NETLINK,
  MSG_TRUNC,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_NO_ENOBUFS,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  SO_MEMINFO,
  SO_RCVBUFFORCE,
  SOL_NETLINK,
} from './constants.ts';
import { NetlinkError, refusal } from './errors.ts';
import { EventQueue } from './event-queue.ts';
import { netlinkLimits } from './limits.ts';
import { decodeMessages, type NetlinkMessage } from './message.ts';
import { type NetlinkOptions, netlinkKernel, openNetlink } from './netlink-socket.ts';

export interface EventSubscription<T> extends NetlinkOptions {
  /** For the error's message: "Could not …". */
  operation: string;
  /** NETLINK_ROUTE, NETLINK_GENERIC, … */
  protocol: number;
  /** Numbers of the multicast groups to join. */
  groups: readonly number[];
  /** Makes an event of a message, or nothing. Its bytes are valid only during the call. */
  decode: (message: NetlinkMessage) => T | undefined;
  /** Told to the reader when events were lost: read the tables anew. */
  overrun: T;
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
}

/**
 * Subscribes to events of the kernel. When this function returns the subscription stands: what happens from then
 * on is told, so a table read afterwards has no gap to the events. The socket keeps the process alive only while
 * a reader waits; it is closed when `signal` is aborted or the loop is left.
 *
 * @throws NetlinkPermissionError `MPTCP_NETLINK_PERMISSION` when a group needs CAP_NET_ADMIN; as `NetlinkSocket`
 */
export function subscribe<T>(subscription: EventSubscription<T>): AsyncIterableIterator<T, undefined> {
  const { signal } = subscription;
  const limits = { ...netlinkLimits, ...subscription.limits };
  const kernel = netlinkKernel();
  if (signal?.aborted === true) return ended(subscription.overrun);

  const fd = openNetlink(kernel, subscription.protocol, subscription.namespace);
  try {
    join(kernel, fd, subscription, limits.eventBufferBytes);
    const room = Buffer.allocUnsafeSlow(limits.messageBytes);
    const onAbort = (): void => queue.close();
    const queue: EventQueue<T> = new EventQueue<T>({
      overrun: subscription.overrun,
      most: limits.queuedEvents,
      onIdle: idle => (idle ? watch.unref() : watch.ref()),
      onEnd: () => {
        signal?.removeEventListener('abort', onAbort);
        watch.close();
        kernel.close(fd);
      },
    });
    let dropped = 0;
    const watch = kernel.pollReadable(fd, () => {
      drain(kernel, fd, room, limits.datagramsPerTurn, subscription, queue);
      const now = queue.ended ? dropped : droppedBy(kernel, fd);
      if (now !== dropped) queue.lost();
      dropped = now;
    });
    watch.unref();
    signal?.addEventListener('abort', onAbort, { once: true });
    return queue;
  } catch (error) {
    kernel.close(fd);
    throw error;
  }
}

function join<T>(
  kernel: Libc,
  fd: number,
  { operation, groups }: EventSubscription<T>,
  buffer: number,
): void {
  if (kernel.trySetsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer) < 0) {
    kernel.trySetsockopt(fd, SOL_SOCKET, SO_RCVBUF, buffer);
  }
  // Otherwise a full buffer is an error of the socket, upon which libuv stops watching it. Drops are counted instead.
  kernel.trySetsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
  // An unbound socket has the kernel's own number, 0, and would be left out as the sender of every event.
  const anyPort = new Uint8Array(12);
  anyPort[0] = AF_NETLINK;
  kernel.bind(fd, anyPort);
  for (const group of groups) {
    const result = kernel.trySetsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
    if (result < 0) throw refusal(operation, -result);
  }
}

/** How many messages found no room in the socket's buffer. Then there are others in it, so this is asked in time. */
function droppedBy(kernel: Libc, fd: number): number {
  const figures = Buffer.allocUnsafeSlow(64).fill(0);
  kernel.tryGetsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures);
  return figures.readUInt32LE(32);
}

/** Reads what waits, as far as one turn of the event loop may be used for it. The rest brings the next call. */
function drain<T>(
  kernel: Libc,
  fd: number,
  room: Buffer,
  most: number,
  { operation, decode }: EventSubscription<T>,
  queue: EventQueue<T>,
): void {
  for (let i = 0; i < most; i++) {
    try {
      const length = kernel.recv(fd, room, MSG_DONTWAIT | MSG_TRUNC);
      if (length === undefined) return;
      if (length > room.byteLength) {
        queue.lost();
        continue;
      }
      for (const message of decodeMessages(room.subarray(0, length))) {
        if (message.type === NLMSG_NOOP || message.type === NLMSG_ERROR || message.type === NLMSG_DONE)
          continue;
        const event = decode(message);
        if (event !== undefined) queue.push(event);
      }
    } catch (error) {
      if (error instanceof SystemCallError && error.errnoName === 'ENOBUFS') {
        queue.lost();
        continue;
      }
      queue.fail(error instanceof SystemCallError ? failed(operation, error) : error);
      return;
    }
  }
}

function failed(operation: string, error: SystemCallError): ManypathError {
  return new NetlinkError(operation, error.errnoName, undefined, { cause: error });
}

function ended<T>(overrun: T): AsyncIterableIterator<T, undefined> {
  const queue = new EventQueue<T>({ overrun, most: 1 });
  queue.close();
  return queue;
}
