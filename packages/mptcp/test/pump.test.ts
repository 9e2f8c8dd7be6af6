import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Pump, startPump } from '../src/pump.ts';

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Two ends of a TCP connection on loopback. */
async function pair(): Promise<[near: Socket, far: Socket]> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const near = connect({
    port: (server.address() as { port: number }).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  await once(near, 'connect');
  const [far] = await accepted;
  server.close();
  open.push(near, far);
  return [near, far];
}

interface Pumped {
  readonly sender: Socket;
  readonly receiver: Socket;
  readonly pump: Pump;
  readonly ended: Promise<void>;
}

async function pumped(pauseMs: number): Promise<Pumped> {
  const [sender, source] = await pair();
  const [destination, receiver] = await pair();
  let [onEnd, onError] = [() => {}, (_: Error) => {}];
  const ended = new Promise<void>((resolve, reject) => {
    [onEnd, onError] = [resolve, reject];
  });
  const pump = startPump(source, destination, {
    bufferBytes: 1_048_576,
    pauseMs,
    onEnd,
    onError: (_, error) => onError(error),
  });
  if (pump === undefined) throw new Error('there is no pump here');
  return { sender, receiver, pump, ended };
}

describe.skipIf(process.platform !== 'linux')('a pump', () => {
  for (const pauseMs of [0, 1]) {
    it(`delivers every byte in order, and tells the end, with pauses of ${pauseMs} ms`, async () => {
      const { sender, receiver, pump, ended } = await pumped(pauseMs);
      const sent = Buffer.alloc(6_000_000);
      for (let at = 0; at < sent.length; at += 4) sent.writeUInt32LE(at, at);
      // Pieces of all sizes: messages, what is left alone for a while, and more than a buffer.
      void (async () => {
        for (let [at, size] = [0, 1]; at < sent.length; at += size, size = ((size * 7) % 900_001) + 1) {
          if (!sender.write(sent.subarray(at, at + size))) await once(sender, 'drain');
        }
        sender.end();
      })();
      const came: Buffer[] = [];
      receiver.on('data', (chunk: Buffer) => came.push(chunk)).resume();
      await ended;
      while (Buffer.concat(came).length < sent.length) await once(receiver, 'data');
      expect(Buffer.concat(came).equals(sent)).toBe(true);
      expect(pump.bytes).toBe(sent.length);
    });
  }

  it('lets no message wait: only what looks like a part of much', async () => {
    // A pause would last for longer than the test may take.
    const { sender, receiver, pump } = await pumped(1_000_000);
    receiver.resume();
    for (let message = 0; message < 50; message++) {
      sender.write(Buffer.alloc(10_000, message));
      for (let came = 0; came < 10_000; ) came += ((await once(receiver, 'data')) as [Buffer])[0].length;
    }
    expect(pump.bytes).toBe(500_000);
    pump.stop();
  });

  it('stops while it leaves its source alone', async () => {
    const { sender, receiver, pump } = await pumped(1_000_000);
    receiver.resume();
    sender.write(Buffer.alloc(60_000));
    await once(receiver, 'data');
    pump.stop();
    expect(pump.bytes).toBeGreaterThan(0);
  });
});
