import { once } from 'node:events';
import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net';
import type { Authority } from '@manypath/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connectHttp2, http2To } from './support/client.ts';
import { tcpOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

const oneWayMs = 30;
const megabytes = 48;
const chunk = Buffer.alloc(1 << 16, 3);

/** Passes bytes on `oneWayMs` later, as many as come: what then limits the rate is the windows of HTTP/2. */
async function longPath(to: Authority): Promise<Authority> {
  const delay = (from: Socket, into: Socket) => {
    from.on('data', bytes => setTimeout(() => into.destroyed || into.write(bytes), oneWayMs));
    from.once('end', () => setTimeout(() => into.end(), oneWayMs));
    from.on('error', () => into.destroy()).once('close', () => setTimeout(() => into.destroy(), oneWayMs));
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, near => {
    const far = netConnect({ ...to, allowHalfOpen: true, noDelay: true });
    delay(near, far);
    delay(far, near);
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

async function openTunnel(target: string) {
  const { pairing } = await testRelay();
  const session = await http2To({ ...pairing, address: await longPath(pairing.address) });
  const { stream } = await connectHttp2(session, pairing, target);
  // The large windows arrive with the answer, and are there when anything larger begins.
  await new Promise<void>(resolve => session.ping(() => resolve()));
  return stream;
}

/** Mbit/s; with windows of 64 KiB it could not be over 9 at this round-trip time. */
function rateOf(milliseconds: number): number {
  return (megabytes * 8.388608 * 1000) / milliseconds;
}

describe('over a path of 60 ms round-trip time, one stream', () => {
  it('is not held up by windows on its way to the target', { timeout: 30_000 }, async () => {
    let received = 0;
    const target = await tcpOrigin(socket => {
      socket.on('data', bytes => {
        received += bytes.length;
      });
      socket.once('end', () => socket.end(String(received)));
    });
    const stream = await openTunnel(target);
    const begun = performance.now();
    for (let sent = 0; sent < megabytes << 20; sent += chunk.length) {
      if (!stream.write(chunk)) await once(stream, 'drain');
    }
    stream.end();
    const [answer] = await once(stream, 'data');
    expect(String(answer)).toBe(String(megabytes << 20));
    expect(rateOf(performance.now() - begun)).toBeGreaterThan(100);
  });

  it('is not held up by windows on its way to the client', { timeout: 30_000 }, async () => {
    const target = await tcpOrigin(async socket => {
      for (let sent = 0; sent < megabytes << 20; sent += chunk.length) {
        if (!socket.write(chunk)) await once(socket, 'drain');
      }
      socket.end();
    });
    const stream = await openTunnel(target);
    const begun = performance.now();
    let received = 0;
    stream.on('data', bytes => {
      received += bytes.length;
    });
    await once(stream, 'end');
    expect(received).toBe(megabytes << 20);
    expect(rateOf(performance.now() - begun)).toBeGreaterThan(100);
  });
});
