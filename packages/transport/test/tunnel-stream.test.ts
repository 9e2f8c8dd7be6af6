import { resetCodes, type Tunnel } from '@manypath/session';
import { expect, it } from 'vitest';
import { TunnelStream } from '../src/index.ts';

/** A tunnel that takes everything and tells nothing. */
function standIn(): Tunnel {
  return { write: () => true, finish() {}, reset() {}, consumed() {} } as unknown as Tunnel;
}

it('is read to the last byte that came before its tunnel was broken off', async () => {
  const stream = new TunnelStream(standIn());
  stream.onData(new TextEncoder().encode('the whole answer'));
  stream.onReset({ code: resetCodes.broken, message: 'the target broke it off' });
  let read = '';
  const failure = new Promise<Error>(resolve => stream.once('error', resolve));
  stream.on('data', (bytes: Buffer) => {
    read += bytes;
  });
  expect(await failure).toMatchObject({ code: 'MANYPATH_TUNNEL_RESET', resetCode: resetCodes.broken });
  expect(read).toBe('the whole answer');
});
