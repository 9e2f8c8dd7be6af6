import type * as net from 'node:net';
import { NoDescriptorError } from './errors.ts';
import { baseHandle } from './memory.ts';

/**
 * The file descriptor of an open socket or server; of the socket below, for a TLS socket.
 *
 * The one place that reads Node's undocumented `_handle.fd` (the same in Node 20 to 26). The descriptor belongs
 * to the socket: never close it, and do not keep it beyond the present turn of the event loop.
 *
 * @throws NoDescriptorError `MPTCP_NO_DESCRIPTOR` when it is closed, or not a socket of the kernel.
 */
export function fdOf(socket: net.Socket | net.Server): number {
  const fd = tryFdOf(socket);
  if (fd !== undefined) return fd;
  throw new NoDescriptorError(
    'This socket is closed, or is not one of the kernel: it has no file descriptor',
  );
}

/** As `fdOf`, but `undefined` instead of an error. */
export function tryFdOf(socket: net.Socket | net.Server): number | undefined {
  const fd = baseHandle(socket)?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}
