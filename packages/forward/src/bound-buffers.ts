import type { Socket } from 'node:net';
import { ManypathError } from '@manypath/core';
import { info, setSocketOption } from '@manypath/mptcp';

/** What may be handed to the kernel and not yet be sent, in bytes. */
const notSentBytes = 131_072;

/** Bytes a second that a connection is to be able to carry over a long way. */
const enoughRate = 50_000_000;
const leastBytes = 524_288;

/**
 * Bounds what the kernel keeps of a connection whose reader may be slow: what arrives, to what its round trip calls for and about
 * `bytes` at most; what is to be sent, to what is under way. The kernel would else let it grow to what a fast reader needs, and
 * keep that when the reader stops.
 */
export function boundBuffers(socket: Socket, bytes: number): void {
  try {
    const rttMs = Math.max(0, ...info(socket).subflows.map(subflow => subflow.rttMs));
    const needed = Math.max(leastBytes, (enoughRate * rttMs) / 1000);
    // The kernel doubles it, for what it needs itself.
    setSocketOption(socket, 'receiveBuffer', Math.ceil(Math.min(bytes / 2, needed)));
    setSocketOption(socket, 'notSentLowWater', notSentBytes);
  } catch (error) {
    // Where the kernel does not do that, more is kept, and all else works.
    if (!ManypathError.is(error)) throw error;
  }
}
