import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { encodeFrame, frameTypes } from '@manypath/session';
import { describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { bytesHeld } from './support/memory.ts';
import { echoOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';
import { beginSession, carrierTo, echoOver, sayHello } from './support/session-client.ts';

/** A connection of a paired gateway that reads nothing more. */
async function deafCarrier(pairing: Parameters<typeof carrierTo>[0]): Promise<TLSSocket> {
  const socket = await carrierTo(pairing);
  expect(await sayHello(socket, pairing)).toHaveProperty('welcome');
  socket.pause();
  return socket;
}

/** Sends frames as fast as they are taken. @returns How many were, until it was closed. */
async function flood(
  socket: TLSSocket,
  count: number,
  frame: (index: number) => Uint8Array,
): Promise<number> {
  const atOnce = 1_000;
  let sent = 0;
  while (sent < count && !socket.destroyed) {
    const frames = Array.from({ length: Math.min(atOnce, count - sent) }, (_, index) => frame(sent + index));
    sent += frames.length;
    if (!socket.write(Buffer.concat(frames))) {
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
    }
  }
  return sent;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function openFrame(number: number, target: string): Uint8Array {
  return encodeFrame(
    frameTypes.open,
    number,
    Buffer.concat([Buffer.of(1, 0), uint32(65_536), Buffer.from(target)]),
  );
}

/** Bytes that a relay may hold more than before, for somebody who floods it. */
const mostBytes = 150_000_000;

describe('a paired client that sends and reads nothing', () => {
  const floods: [string, number, (index: number) => Uint8Array][] = [
    ['opens tunnels to where nobody listens', 5_000, index => openFrame(2 * index + 1, '127.0.0.1:1')],
    ['opens tunnels that are refused', 40_000, index => openFrame(2 * index + 1, 'no authority')],
    ['asks for signs of life', 300_000, index => encodeFrame(frameTypes.ping, 0, uint64(index))],
    [
      'leaves connections that never were',
      300_000,
      index => encodeFrame(frameTypes.left, 0, Buffer.concat([uint32(index + 2), uint64(0)])),
    ],
    [
      'ends tunnels that never were',
      300_000,
      index => encodeFrame(frameTypes.finish, 2 * index + 1, uint64(0)),
    ],
    ['speaks of what it does not know', 300_000, () => encodeFrame(0xff, 0, Buffer.alloc(100))],
    ['acknowledges again and again', 300_000, () => encodeFrame(frameTypes.acknowledge, 0, uint64(0))],
  ];
  for (const [what, count, frame] of floods) {
    it(`costs a bounded amount of memory when it ${what}, and others are served`, async () => {
      const { pairing, relay } = await testRelay();
      const other = await beginSession(pairing);
      const echo = await echoOrigin();
      const before = await bytesHeld();
      const socket = await deafCarrier(pairing);
      const sent = flood(socket, count, frame);
      expect(await echoOver(other.session, echo, 'meanwhile')).toBe('meanwhile');
      await sent;
      expect((await bytesHeld()) - before).toBeLessThan(mostBytes);
      expect(await echoOver(other.session, echo, 'afterwards')).toBe('afterwards');
      socket.destroy();
      await eventually(() => relay.status()).toMatchObject({ carriers: 1 });
    }, 60_000);
  }

  it('costs a bounded amount of memory when it asks a tunnel again and again for more room', async () => {
    const { pairing } = await testRelay();
    const socket = await deafCarrier(pairing);
    const before = await bytesHeld();
    socket.write(openFrame(1, await echoOrigin()));
    await flood(socket, 300_000, index => encodeFrame(frameTypes.blocked, 1, uint64(262_144 + index)));
    expect((await bytesHeld()) - before).toBeLessThan(mostBytes);
    socket.destroy();
  }, 60_000);
});
