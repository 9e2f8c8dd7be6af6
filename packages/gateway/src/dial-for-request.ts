import type { Duplex } from 'node:stream';
import type { Connection } from './connection.ts';
import { countBytes } from './counted-stream.ts';
import type { Dialer } from './dialer.ts';

/** Opens a way for plain HTTP requests to the target of `connection`, and accounts for it until it closes. */
export async function dialForRequest(
  signal: AbortSignal,
  dialer: Dialer,
  connection: Connection,
): Promise<Duplex> {
  const giveUp = new AbortController();
  connection.abortWith(reason => giveUp.abort(reason));
  try {
    const dialled = await dialer.dial({
      target: connection.target,
      dialect: connection.dialect,
      signal: AbortSignal.any([signal, giveUp.signal]),
      takeFirstBytes: () => new Uint8Array(),
    });
    const { stream } = dialled;
    connection.dialled(dialled);
    connection.carries({ count: countBytes(stream), halfClosed: () => false });
    connection.abortWith(() => stream.destroy());
    stream.once('close', () => connection.end());
    return stream;
  } catch (error) {
    connection.fail(error);
    throw error;
  }
}
