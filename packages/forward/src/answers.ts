import type { Duplex } from 'node:stream';
import { encodeResponseHead, systemClock } from '@manypath/core';
import { Inactivity } from './inactivity.ts';
import { type ForwardLimits, forwardLimits } from './limits.ts';
import { errorResponse } from './proxy-error.ts';

/** Tells the client that its tunnel is open; RFC 9110 §9.3.6. */
export function acceptTunnel(socket: Duplex): void {
  socket.write(established);
}

const established = encodeResponseHead(200, 'Connection established');

/** Tells the client why there is no tunnel, and closes. */
export function refuseTunnel(socket: Duplex, error: unknown, accept?: string): void {
  if (socket.destroyed || socket.writableEnded) return;
  const { status, reason, headers, body } = errorResponse(error, accept);
  socket.write(encodeResponseHead(status, reason, [...headers, ['Connection', 'close']]));
  socket.write(body);
  endGently(socket);
}

/**
 * Ends a connection after its last answer. What still comes is read for a while, since a reset would take the answer with it, and
 * since some clients read nothing before they have sent all.
 */
export function endGently(
  socket: Duplex,
  limits: Pick<ForwardLimits, 'lingerMs' | 'lingerMostMs' | 'halfClosedIdleMs'> = forwardLimits,
): void {
  const destroy = () => void socket.destroy();
  const unread = systemClock.after(limits.halfClosedIdleMs, destroy);
  const linger = () => {
    unread.cancel();
    if (socket.destroyed) return;
    const silence = new Inactivity(systemClock, limits.lingerMs, destroy);
    const most = systemClock.after(limits.lingerMostMs, destroy);
    socket.on('data', () => silence.touch());
    socket.once('close', () => {
      silence.stop();
      most.cancel();
    });
  };
  socket.once('close', () => unread.cancel());
  socket.on('error', destroy);
  socket.end(linger);
  socket.resume();
}
