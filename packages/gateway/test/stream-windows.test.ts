import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { StreamWindows } from '../src/lanes/stream-windows.ts';
import { until } from './support/scope.ts';

const limits = { streamWindowBytes: 4_000_000, narrowWindowBytes: 65_536, laneWaitingBytes: 6_000_000 };

/** A session to a server that sends as much as it may in every stream. */
async function sessionToSource(): Promise<ClientHttp2Session> {
  const server = createServer().on('stream', stream => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 });
    stream.write(Buffer.alloc(10_000_000));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const session = connect(`http://127.0.0.1:${port}`, {
    settings: { initialWindowSize: limits.streamWindowBytes },
  });
  await once(session, 'connect');
  session.setLocalWindowSize(64_000_000);
  onTestFinished(() => {
    session.destroy();
    server.close();
  });
  return session;
}

it('lets the other side send a large window ahead, or as little as it is told to, and the rest when that is over', async () => {
  const session = await sessionToSource();
  const windows = new StreamWindows(session, limits);
  const held = async (bytes: number | undefined): Promise<void> => {
    windows.hold(bytes);
    await until(() => !session.pendingSettingsAck);
  };
  await held(100_000);
  const first = session.request({ ':path': '/' });
  windows.add(first);
  let received = 0;
  await once(first, 'response');
  await until(() => first.readableLength >= 100_000);
  expect(first.readableLength).toBe(100_000);

  await held(undefined);
  await until(() => first.readableLength >= limits.streamWindowBytes);
  expect(first.readableLength).toBe(limits.streamWindowBytes);

  first.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await until(() => received === 10_000_000);
});

it('tells what holds in the end when that changes faster than the other side confirms', async () => {
  const session = await sessionToSource();
  const windows = new StreamWindows(session, limits);
  for (const bytes of [100_000, undefined, 50_000, 200_000]) windows.hold(bytes);
  await until(() => !session.pendingSettingsAck && session.localSettings.initialWindowSize === 200_000);
  expect(session.localSettings.initialWindowSize).toBe(200_000);
});
