import type * as net from 'node:net';
import type { InfoReason } from './reasons.ts';
import type { SocketInfo } from './socket-info.ts';

/** What a socket's kernel side cannot tell later: what was asked for, and what it once was. */
export interface SocketMemory {
  /** The protocol of the descriptor; `undefined` until it was read. */
  protocol: 'mptcp' | 'tcp' | undefined;
  /** Why the descriptor is plain TCP, should it be. */
  plainReason: InfoReason;
  /** The device it was bound to when it was made. */
  device: string | undefined;
  /** Whether Multipath TCP was ever seen on it. */
  wasMultipath: boolean;
  /** The last answer of `info`. */
  last: SocketInfo | undefined;
}

/** Node's stream handle, of which TypeScript knows nothing. TLS handles point to the one below. */
export interface StreamHandle {
  readonly fd?: number;
  readonly _parent?: StreamHandle;
}

/**
 * Keyed by the socket, which outlives its handle, and by the handle, which a TLS socket or an HTTP/2 session on
 * top shares with it.
 */
const memories = new WeakMap<object, SocketMemory>();

export function remember(socket: net.Socket, about: Partial<SocketMemory>): SocketMemory {
  const memory: SocketMemory = {
    protocol: undefined,
    plainReason: 'not-requested',
    device: undefined,
    wasMultipath: false,
    last: undefined,
    ...about,
  };
  memories.set(socket, memory);
  shareMemory(socket, memory);
  return memory;
}

/** Lets what is put on top of `socket` find its memory. A socket without descriptor has its handle only once it connects. */
export function shareMemory(socket: net.Socket, memory: SocketMemory): void {
  const handle = baseHandle(socket);
  if (handle !== undefined) memories.set(handle, memory);
}

/** What is known of `socket`; starts a memory for a socket that was made elsewhere. */
export function recall(socket: net.Socket): SocketMemory {
  const known = memories.get(socket);
  if (known !== undefined) return known;
  const handle = baseHandle(socket);
  const shared = handle && memories.get(handle);
  if (shared === undefined) return remember(socket, {});
  memories.set(socket, shared);
  return shared;
}

/** The handle that owns the descriptor: the lowest one, below TLS. */
export function baseHandle(socket: object): StreamHandle | undefined {
  let handle = (socket as { _handle?: StreamHandle | null })._handle ?? undefined;
  while (handle?._parent !== undefined && handle._parent !== null) handle = handle._parent;
  return handle;
}
