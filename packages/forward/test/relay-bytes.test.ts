import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import type { ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ManypathError, SimulatedClock } from '@manypath/core';
import { resetSocket } from '@manypath/mptcp';
import { afterEach, describe, expect, it } from 'vitest';
import { type RelayHandle, type RelayOptions, RelayResetError, relayBytes } from '../src/relay-bytes.ts';
import { event, type LegPair, legKinds } from './legs.ts';

const open: LegPair[] = [];
afterEach(() => {
  for (const pair of open.splice(0)) pair.close();
});

/** A client and an upstream with the relay between them. */
async function relayed(clientKind: string, upstreamKind: string, options?: RelayOptions) {
  const [clientPair, upstreamPair] = await Promise.all([make(clientKind), make(upstreamKind)]);
  const handle = relayBytes(clientPair.near, upstreamPair.near, options);
  return { client: clientPair.far, upstream: upstreamPair.far, handle };
}

async function make(kind: string): Promise<LegPair> {
  const pair = await legKinds[kind]?.();
  if (pair === undefined) throw new Error(`no kind ${kind}`);
  open.push(pair);
  return pair;
}

/** Reads to the end; resolves with a digest, so that a difference anywhere shows. */
async function digestOf(stream: Duplex): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    hash.update(chunk);
  });
  await new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error(`closed after ${bytes} bytes`)));
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** Writes pieces of many sizes with back-pressure, then the end. */
async function send(stream: Duplex, content: Buffer): Promise<void> {
  let offset = 0;
  for (let size = 1; offset < content.length; size = (size * 3) % 200_003) {
    const piece = content.subarray(offset, offset + size);
    offset += piece.length;
    if (!stream.write(piece)) await new Promise(resolve => stream.once('drain', resolve));
  }
  stream.end();
}

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const settled = (handle: RelayHandle) => handle.done;

for (const clientKind of Object.keys(legKinds)) {
  for (const upstreamKind of Object.keys(legKinds)) {
    describe(`relaying between ${clientKind} and ${upstreamKind}`, () => {
      it('delivers both directions at once, byte for byte, and counts them', async () => {
        const { client, upstream, handle } = await relayed(clientKind, upstreamKind);
        const up = randomBytes(3_000_017);
        const down = randomBytes(5_000_011);
        const [atUpstream, atClient] = await Promise.all([
          digestOf(upstream),
          digestOf(client),
          send(client, up),
          send(upstream, down),
        ]);
        expect(atUpstream).toEqual({ bytes: up.length, sha256: sha256(up) });
        expect(atClient).toEqual({ bytes: down.length, sha256: sha256(down) });
        expect(await settled(handle)).toEqual({
          bytesFromClient: up.length,
          bytesFromUpstream: down.length,
          error: undefined,
        });
      });

      it('passes the end of one direction on while the other goes on', async () => {
        const { client, upstream, handle } = await relayed(clientKind, upstreamKind);
        client.end('question');
        expect((await digestOf(upstream)).bytes).toBe(8);
        expect(handle.state).toBe('half-closed');
        const answer = randomBytes(100_000);
        const atClient = digestOf(client);
        await send(upstream, answer);
        expect(await atClient).toEqual({ bytes: answer.length, sha256: sha256(answer) });
        expect((await settled(handle)).error).toBeUndefined();
      });

      it('stops reading from a side that is faster than the other', async () => {
        const { client, upstream, handle } = await relayed(clientKind, upstreamKind);
        let written = 0;
        const piece = Buffer.alloc(65_536);
        const pump = () => {
          while (written < 256_000_000) {
            written += piece.length;
            if (!upstream.write(piece)) return void upstream.once('drain', pump);
          }
        };
        pump();
        await quietFor(() => handle.bytesFromUpstream);
        expect(handle.bytesFromUpstream).toBeGreaterThan(0);
        expect(handle.bytesFromUpstream).toBeLessThan(64_000_000);
        const before = handle.bytesFromUpstream;
        client.resume();
        await until(() => handle.bytesFromUpstream > before + 10_000_000);
      });

      it('breaks the other side off when one breaks off', async () => {
        const { client, upstream, handle } = await relayed(clientKind, upstreamKind);
        upstream.on('error', () => {});
        const gone = new Promise(resolve => upstream.once('close', resolve));
        client.write('hello');
        await event(upstream, 'data');
        client.on('error', () => {});
        breakOff(client);
        await gone;
        expect((await settled(handle)).error).toBeInstanceOf(ManypathError);
      });

      it('ends both sides when it is aborted', async () => {
        const { client, upstream, handle } = await relayed(clientKind, upstreamKind);
        const ends = [client, upstream].map(
          side =>
            new Promise<void>(resolve => {
              side.on('error', () => {}).once('close', () => resolve());
              side.resume();
            }),
        );
        client.write('hello');
        await event(upstream, 'data');
        handle.abort(new Error('enough'));
        await Promise.all(ends);
        expect((await settled(handle)).error?.message).toBe('enough');
      });
    });
  }
}

describe.each(Object.keys(legKinds))(
  'an upstream that answers and resets while a client of %s sends,',
  kind => {
    it('has its answer delivered before the client is broken off', async () => {
      for (let round = 0; round < 10; round++) {
        const { client, upstream, handle } = await relayed(kind, 'tcp');
        let heard = '';
        client.on('data', bytes => {
          heard += bytes;
        });
        client.on('error', () => {});
        upstream.write('hello');
        await expect.poll(() => heard).toBe('hello');
        upstream.pause();
        // All of it arrives in one turn of the event loop.
        for (let piece = 0; piece < 20; piece++) client.write(Buffer.alloc(1000));
        upstream.write(', last words');
        (upstream as Socket).resetAndDestroy();
        expect((await settled(handle)).error).toBeInstanceOf(RelayResetError);
        await expect.poll(() => heard).toBe('hello, last words');
      }
    });
  },
);

describe('a relayed connection', () => {
  it.each(Object.keys(legKinds))(
    'passes on the end of a client over %s that came before it began',
    async kind => {
      const [{ near, far }, upstream] = await Promise.all([make(kind), make('tcp')]);
      const ended = event(near, 'end');
      near.resume();
      far.end();
      await ended;
      const handle = relayBytes(near, upstream.near);
      const atUpstream = digestOf(upstream.far);
      expect((await atUpstream).bytes).toBe(0);
      const answer = randomBytes(1000);
      const atClient = digestOf(far);
      upstream.far.end(answer);
      expect(await atClient).toEqual({ bytes: 1000, sha256: sha256(answer) });
      expect((await settled(handle)).error).toBeUndefined();
    },
  );

  it.each(['tcp', 'mptcp'])(
    'over %s is not complete when it was reset right behind its last bytes',
    async kind => {
      const { client, upstream, handle } = await relayed(kind, 'tcp');
      upstream.on('error', () => {}).resume();
      client.write('all but the e');
      resetSocket(client as Socket);
      const { bytesFromClient, error } = await settled(handle);
      expect(bytesFromClient).toBe(13);
      expect(error).toBeInstanceOf(RelayResetError);
    },
  );

  it('is ended when no byte goes either way for too long, sooner when half of it has ended', async () => {
    const clock = new SimulatedClock();
    const { client, upstream, handle } = await relayed('tcp', 'tcp', {
      clock,
      limits: { idleMs: 1000, halfClosedIdleMs: 100 },
    });
    client.write('x');
    await until(() => handle.bytesFromClient === 1);
    clock.advance(1000);
    expect(handle.state).toBe('open');
    upstream.resume().on('error', () => {});
    client.on('error', () => {});
    clock.advance(1000);
    expect((await settled(handle)).error).toMatchObject({ code: 'MANYPATH_FORWARD_IDLE' });
  });

  for (const how of ['breaks off', 'is aborted']) {
    it(`leaves nothing behind when a bulk transfer ${how}`, async () => {
      const descriptors = () => readdirSync('/proc/self/fd').length;
      const before = descriptors();
      for (let round = 0; round < 20; round++) {
        const { client, upstream, handle } = await relayed('mptcp', 'tcp');
        for (const side of [client, upstream]) side.on('error', () => {});
        const pump = () => {
          while (upstream.writable && upstream.write(Buffer.alloc(262_144)));
        };
        upstream.on('drain', pump);
        pump();
        // Every other one is broken off while the client does not read, with bytes stuck in the relay.
        if (round % 2 === 0) client.resume();
        await until(() => handle.bytesFromUpstream > 2_500_000);
        const gone = new Promise(resolve => upstream.once('close', resolve));
        upstream.resume();
        if (how === 'is aborted') handle.abort(new Error('enough'));
        else resetSocket(client as Socket);
        await gone;
        expect((await settled(handle)).error).toBeInstanceOf(Error);
        for (const pair of open.splice(0)) pair.close();
      }
      await until(() => descriptors() <= before + 2);
    });
  }

  it('leaves no descriptor behind', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    for (let round = 0; round < 50; round++) {
      const { client, upstream, handle } = await relayed('tcp', 'mptcp');
      client.on('error', () => {});
      upstream.on('error', () => {}).resume();
      client.write('x');
      if (round % 2 === 0) client.end();
      else breakOff(client);
      upstream.end();
      client.resume();
      await settled(handle);
      for (const pair of open.splice(0)) pair.close();
    }
    await until(() => descriptors() <= before + 2);
  });
});

function breakOff(stream: Duplex): void {
  // Closing a stream of Node's HTTP/2 client sends an orderly end first: only losing the connection breaks it off.
  if ('rstCode' in stream) (stream as ClientHttp2Stream).session?.destroy();
  else resetSocket(stream as Socket);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 2));
}

/** Waits until a count has stopped growing. */
async function quietFor(count: () => number): Promise<void> {
  for (let last = -1, same = 0; same < 20; ) {
    await new Promise(resolve => setTimeout(resolve, 10));
    same = count() === last ? same + 1 : 0;
    last = count();
  }
}
