import Module from 'node:module';
import { expect, test } from 'vitest';
import { connect, createServer, info, inNamespace } from '../src/index.ts';
import { portOf } from './support/sockets.ts';

type Resolver = (request: string, ...rest: unknown[]) => string;

/** Makes koffi what it is on a machine without its prebuilt part: not to be found. */
const resolver = Module as unknown as { _resolveFilename: Resolver };
const resolve = resolver._resolveFilename;
resolver._resolveFilename = (request, ...rest) => {
  if (request === 'koffi') throw Object.assign(new Error('Cannot find koffi'), { code: 'MODULE_NOT_FOUND' });
  return resolve.call(Module, request, ...rest);
};

test.runIf(process.platform === 'linux')('without koffi the package is plain TCP, and says why', async () => {
  const server = await createServer({ host: '127.0.0.1' }, socket => socket.on('error', () => {}));
  const socket = await connect({ host: '127.0.0.1', port: portOf(server) });
  expect(info(socket)).toMatchObject({ protocol: 'tcp', multipath: false, reason: 'unsupported-platform' });
  socket.destroy();
  server.close();
  expect(() => inNamespace(1, () => {})).toThrow(
    expect.objectContaining({
      code: 'MPTCP_UNSUPPORTED',
      message: expect.stringContaining('koffi'),
      cause: expect.objectContaining({ code: 'MODULE_NOT_FOUND' }),
    }),
  );
});
