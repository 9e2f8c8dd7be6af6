import type { TLSSocket } from 'node:tls';
import { FrameReader } from '@manypath/session';
import { HelloError } from './errors.ts';

/** The frame with which an end of a carrier begins. */
export interface FirstFrame {
  readonly type: number;
  readonly body: Uint8Array;
  /** What came after it. */
  readonly rest: Uint8Array;
}

/** Bytes of the body of HELLO, WELCOME and REFUSED. */
const mostBytes = 512;

/**
 * Waits for the first frame on a connection, and leaves the connection paused.
 *
 * @throws HelloError `MANYPATH_HELLO`; the reason of `signal`
 */
export function firstFrame(socket: TLSSocket, signal: AbortSignal): Promise<FirstFrame> {
  return new Promise((resolve, reject) => {
    let seen: { type: number; body: Uint8Array } | undefined;
    let length = 0;
    let bytes = 0;
    const reader = new FrameReader(
      {
        onFrame: (type, _tunnel, body) => {
          seen = { type, body: Uint8Array.from(body) };
          reader.stop();
        },
        onData: () => {
          throw new HelloError('it begins with data');
        },
      },
      { controlBytes: mostBytes, dataBytes: 0, datagramBytes: 0 },
      size => {
        length = size;
      },
    );
    const settle = (act: () => void): void => {
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onData = (chunk: Buffer): void => {
      try {
        reader.push(chunk);
      } catch (error) {
        settle(() =>
          reject(error instanceof HelloError ? error : new HelloError('it says something else', error)),
        );
        return;
      }
      const before = bytes;
      bytes += chunk.length;
      if (seen === undefined) return;
      const { type, body } = seen;
      socket.pause();
      settle(() => resolve({ type, body, rest: chunk.subarray(length - before) }));
    };
    const onEnd = (): void => settle(() => reject(new HelloError('the connection ended')));
    const onError = (error: Error): void => settle(() => reject(new HelloError(error.message, error)));
    const onAbort = (): void => settle(() => reject(signal.reason));
    socket.on('data', onData).once('end', onEnd).once('close', onEnd).once('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    // One that was waited for before has left it paused.
    else socket.resume();
  });
}
