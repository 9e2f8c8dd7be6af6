/**
 * Connects to ports of the quiet namespace for its parent, which cannot be there itself, and passes the connections on over Node
 * IPC. Run as a program of its own in the namespace, see debugging-port.ts; ends as soon as the parent lets go.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { DoorAnswer, DoorOrder } from './debugging-port.ts';
import { doorAddress } from './namespace-plan.ts';

/** Between two attempts while the browser does not listen yet, in milliseconds. */
const retryMs = 50;

process.once('disconnect', () => process.exit(0));
process.on('message', (order: DoorOrder) => {
  const { id } = order;
  // What is at the other end waits for the first word, so nothing is lost on the way.
  reach(order).then(
    socket => process.send?.({ id } satisfies DoorAnswer, socket),
    error => process.send?.({ id, error: String(error) } satisfies DoorAnswer),
  );
});

async function reach({ port, waitMs }: DoorOrder): Promise<Socket> {
  for (let left = waitMs; ; left -= retryMs) {
    try {
      return await dial(port);
    } catch (error) {
      if (left <= 0) throw error;
    }
    await delay(retryMs);
  }
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: doorAddress, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
  });
}
