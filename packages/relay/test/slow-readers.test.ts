import { once, setMaxListeners } from 'node:events';
import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { relayLimits } from '../src/limits.ts';
import { ReceiveWindows } from '../src/receive-windows.ts';
import { connectHttp1, connectHttp2, http2To, readText } from './support/client.ts';
import { deferred } from './support/deferred.ts';
import { eventually } from './support/eventually.ts';
import { bytesHeld } from './support/memory.ts';
import { echoOrigin, tcpOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

const chunk = Buffer.alloc(65_536, 1);

/** Writes for as long as the other side takes it, and tells how much that was once it has been stuck for a while. */
async function writeUntilStuck(stream: NodeJS.WritableStream): Promise<number> {
  let written = 0;
  for (;;) {
    written += chunk.length;
    if (stream.write(chunk)) continue;
    const stuck = new Promise<'stuck'>(resolve => setTimeout(() => resolve('stuck'), 300));
    if ((await Promise.race([once(stream, 'drain'), stuck])) === 'stuck') return written;
  }
}

/** A target that takes nothing until it is told to. */
async function stubbornOrigin(): Promise<{ target: string; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const target = await tcpOrigin(socket => {
    socket.pause();
    sockets.push(socket);
  });
  return { target, sockets };
}

describe('a target that does not read', () => {
  it('stops its client in HTTP/1.1, and gets everything in the end', { timeout: 30_000 }, async () => {
    const { target, sockets } = await stubbornOrigin();
    const { pairing } = await testRelay();
    const { socket } = await connectHttp1(pairing, target);
    const before = await bytesHeld();
    // What the kernel takes is its own business; in the relay, next to nothing waits.
    const written = await writeUntilStuck(socket);
    expect((await bytesHeld()) - before).toBeLessThan(16 << 20);
    let received = 0;
    sockets[0]?.resume().on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    socket.end();
    await eventually(() => received).toBe(written);
  });

  it('stops its own stream in HTTP/2 and no other one', { timeout: 30_000 }, async () => {
    const { target, sockets } = await stubbornOrigin();
    const { pairing } = await testRelay();
    const session = await http2To(pairing);
    const stuck = (await connectHttp2(session, pairing, target)).stream;
    const written = await writeUntilStuck(stuck);
    expect(written).toBeLessThan(relayLimits.streamWindowBytes + (16 << 20));
    const { stream } = await connectHttp2(session, pairing, await echoOrigin());
    stream.end('passes by');
    expect(await readText(stream)).toBe('passes by');
    let received = 0;
    sockets[0]?.resume().on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    stuck.end();
    await eventually(() => received).toBe(written);
  });

  it('does not take all memory when there are many of them', { timeout: 60_000 }, async () => {
    const { target } = await stubbornOrigin();
    const { pairing, relay } = await testRelay();
    const session = await http2To(pairing);
    const streams: ClientHttp2Stream[] = [];
    for (let count = 0; count < 24; count++) {
      streams.push((await connectHttp2(session, pairing, target)).stream);
    }
    const stop = new AbortController();
    setMaxListeners(100, stop.signal);
    const writing = streams.map(stream => keepWriting(stream, stop.signal));
    // Windows alone would let 24 × 16 MiB wait in the relay.
    const window = () => session.remoteSettings.initialWindowSize ?? 0;
    await eventually(window).toBeLessThan(2 << 20);
    await eventually(() => isSteady(session)).toBe(true);
    const waiting = session.socket.bytesWritten - relay.status().bytesFromClients;
    expect(waiting).toBeLessThan(relayLimits.sessionBacklogBytes * 4);
    stop.abort();
    await Promise.all(writing);
    for (const stream of streams) stream.close(8);
    // When they are gone, the window is what it was.
    await eventually(window).toBe(relayLimits.streamWindowBytes);
  });
});

describe('a client that does not read', () => {
  for (const dialect of ['HTTP/1.1', 'HTTP/2']) {
    it(`stops its target, in ${dialect}, without taking memory`, { timeout: 30_000 }, async () => {
      const given = deferred<Socket>();
      const target = await tcpOrigin(given.resolve);
      const { pairing, relay } = await testRelay();
      const stream =
        dialect === 'HTTP/2'
          ? (await connectHttp2(await http2To(pairing), pairing, target)).stream
          : (await connectHttp1(pairing, target)).socket;
      stream.on('error', () => {}).pause();
      const before = await bytesHeld();
      const written = await writeUntilStuck(await given.promise);
      // The client's HTTP/2 window of 16 MiB fills in this very process.
      const window = dialect === 'HTTP/2' ? 16 << 20 : 0;
      expect((await bytesHeld()) - before).toBeLessThan(2 * window + (24 << 20));
      expect(written).toBeGreaterThan(1 << 20);
      stream.destroy();
      await eventually(() => relay.status().tunnels).toBe(0);
    });
  }
});

describe('the receive windows', () => {
  const limits = { ...relayLimits, backlogCheckMs: 100 };

  function setUp() {
    const clock = new SimulatedClock();
    const settings: number[] = [];
    const acknowledge: (() => void)[] = [];
    let destroyed = false;
    let received = 0;
    // What is wanted of a session here is its settings, and when the client acknowledges them.
    const session = {
      get destroyed() {
        return destroyed;
      },
      destroy: () => {
        destroyed = true;
      },
      settings: ({ initialWindowSize = 0 }, done: () => void) => {
        settings.push(initialWindowSize);
        acknowledge.push(done);
      },
    } as unknown as ServerHttp2Session;
    const windows = new ReceiveWindows(session, { limits, bytesReceived: () => received, clock });
    const stream = (bytes: number) => {
      const made = new PassThrough({ highWaterMark: 1 << 30 });
      made.write(Buffer.alloc(bytes));
      received += bytes;
      windows.add(made as unknown as ServerHttp2Stream);
      return made;
    };
    return {
      clock,
      settings,
      windows,
      stream,
      acknowledge: () => {
        for (const done of acknowledge.splice(0)) done();
      },
      isOver: () => destroyed,
    };
  }

  it('are small until the client has shown the secret', () => {
    const { windows, settings } = setUp();
    expect(windows.window).toBe(65_535);
    windows.open();
    expect(settings).toEqual([limits.streamWindowBytes]);
  });

  it('are lowered while much is waiting, and raised when it has gone out', () => {
    const { windows, settings, stream, clock, acknowledge } = setUp();
    windows.open();
    acknowledge();
    const stuck = [stream(16 << 20), stream(16 << 20), stream(4 << 20)];
    clock.advance(100);
    expect(settings.at(-1)).toBe(limits.sessionBacklogBytes / 2 / 4);
    acknowledge();
    for (const one of stuck) one.resume();
    return new Promise<void>(resolve => setImmediate(resolve)).then(() => {
      clock.advance(100);
      expect(settings.at(-1)).toBe(limits.streamWindowBytes);
    });
  });

  it('are never lowered under a limit', () => {
    const { windows, settings, stream, clock, acknowledge } = setUp();
    windows.open();
    acknowledge();
    for (let count = 0; count < 1000; count++) stream(300_000);
    clock.advance(100);
    expect(settings.at(-1)).toBe(limits.smallestStreamWindowBytes);
  });

  it('end a connection whose client does not acknowledge them', () => {
    const { windows, clock, isOver } = setUp();
    windows.open();
    clock.advance(limits.answerMs);
    expect(isOver()).toBe(true);
  });

  it('leave no timer behind without streams', () => {
    const { windows, stream, clock, acknowledge } = setUp();
    windows.open();
    acknowledge();
    stream(1000).destroy();
    return new Promise<void>(resolve => setImmediate(resolve)).then(() => {
      clock.advance(1000);
      expect(clock.pending).toBe(0);
    });
  });
});

async function keepWriting(stream: ClientHttp2Stream, signal: AbortSignal): Promise<void> {
  const stopped = new Promise<void>(resolve =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  while (!signal.aborted) {
    if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), stopped]);
  }
}

/** Whether nothing has left on a connection for a while. */
async function isSteady(session: ClientHttp2Session): Promise<boolean> {
  const before = session.socket.bytesWritten;
  await new Promise(resolve => setTimeout(resolve, 300));
  return session.socket.bytesWritten - before < 100_000;
}
