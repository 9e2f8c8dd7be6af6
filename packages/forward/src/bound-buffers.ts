import type { Socket } from 'node:net';
import { ManypathError } from '@manypath/core';
import { setSocketOption } from '@manypath/mptcp';

/** What may be handed to the kernel and not yet be sent, in bytes. */
const notSentBytes = 131_072;

/**
 * Bounds what the kernel keeps of a connection whose reader may be slow: what arrives, to about `bytes`; what is to be sent, to
 * what is under way. The kernel would else let it grow to what a fast reader needs, and keep that when the reader stops.
 */
export function boundBuffers(socket: Socket, bytes: number): void {
  try {
    // The kernel doubles it, for what it needs itself.
    setSocketOption(socket, 'receiveBuffer', Math.ceil(bytes / 2));
    setSocketOption(socket, 'notSentLowWater', notSentBytes);
  } catch (error) {
    // Where the kernel does not do that, more is kept, and all else works.
    if (!ManypathError.is(error)) throw error;
  }
}
