import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { relayBytes } from '@manypath/forward';
import { resetCodes } from '@manypath/session';
import { TunnelJoint } from '@manypath/transport';
import type { Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';
import type { TunnelWish } from './front.ts';
import type { SessionTunnel } from './lanes/session-tunnel.ts';

/**
 * Serves a client that wants a tunnel: dials, answers, relays the bytes and accounts for them. Fulfilled when it is over.
 */
export async function serveTunnel(wish: TunnelWish, dialer: Dialer, connection: Connection): Promise<void> {
  const { socket: client, target, dialect } = wish;
  const giveUp = new AbortController();
  const onGone = () => giveUp.abort(new Error('the client went away'));
  client.once('close', onGone).on('error', ignore);
  connection.abortWith(reason => giveUp.abort(reason));
  // A client that is told at once sends its first bytes in time to leave with the request to the relay.
  const early = dialer.isSure(target);
  try {
    if (early) {
      wish.accept();
      await firstBytesOf(client);
    }
    let taken = 0;
    const takeFirstBytes = (): Uint8Array => {
      const bytes: Buffer = client.read() ?? Buffer.alloc(0);
      taken += bytes.length;
      return bytes;
    };
    const dialled = await dialer.dial({ target, dialect, signal: giveUp.signal, takeFirstBytes });
    if (dialled.ofSession !== undefined) {
      giveUp.signal.throwIfAborted();
      client.off('close', onGone);
      connection.dialled(dialled);
      if (!early) wish.accept();
      await joined(client, dialled.ofSession, connection, () => taken);
      return;
    }
    dialled.stream.on('error', ignore);
    connection.dialled(dialled);
    try {
      giveUp.signal.throwIfAborted();
      if (dialled.unsent.length > 0) await written(dialled.stream, dialled.unsent, giveUp.signal);
    } catch (error) {
      dialled.stream.destroy();
      throw error;
    }
    client.off('close', onGone);
    if (!early) wish.accept();
    const handle = relayBytes(client, dialled.stream);
    connection.abortWith(reason => handle.abort(reason));
    connection.carries({
      count: {
        get bytesIn() {
          return handle.bytesFromUpstream;
        },
        get bytesOut() {
          return handle.bytesFromClient + taken;
        },
      },
      halfClosed: () => handle.state === 'half-closed',
      socket: dialled.relay ? undefined : (handle.upstream as Socket),
    });
    await handle.done;
    connection.end();
  } catch (error) {
    client.off('close', onGone);
    connection.fail(error);
    // To a client that was told already, it looks like an origin that broke off.
    if (early) client.resetAndDestroy();
    else wish.refuse(error);
  }
}

/** Has a client and a tunnel of a session go on together until both are closed. */
function joined(
  client: Socket,
  way: SessionTunnel,
  connection: Connection,
  taken: () => number,
): Promise<void> {
  return new Promise(resolve => {
    const joint = new TunnelJoint(client, way.tunnel, () => {
      connection.end();
      resolve();
    });
    connection.abortWith(reason => joint.abort({ code: resetCodes.cancelled, message: reason.message }));
    connection.carries({
      count: {
        get bytesIn() {
          return joint.bytesFromTunnel;
        },
        get bytesOut() {
          return joint.bytesFromSocket + taken();
        },
      },
      halfClosed: () => joint.isHalfClosed,
    });
    way.use(joint);
    joint.start();
  });
}

/** What breaks is told by `close`, or by the byte relay. */
function ignore(): void {}

/** Waits until the kernel has taken some bytes, so that the stream can be taken over; not longer than until `signal` is aborted. */
function written(stream: Duplex, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    stream.write(bytes, error => {
      signal.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Waits a moment for what the client says first; a client that waits for the other side says nothing. */
function firstBytesOf(client: Socket): Promise<void> {
  if (client.readableLength > 0) return Promise.resolve();
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer);
      client.off('readable', done).off('end', done).off('close', done);
      resolve();
    };
    const timer = setTimeout(done, firstBytesMs);
    client.on('readable', done).once('end', done).once('close', done);
    client.read(0);
  });
}

/** A client on this machine answers within a millisecond; more would only be lost on those that never speak first. */
const firstBytesMs = 5;
