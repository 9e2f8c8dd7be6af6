import { randomBytes } from 'node:crypto';
import { encodeFrame, frameTypes } from '@manypath/session';
import { refusals } from '@manypath/transport';
import { describe, expect, it } from 'vitest';
import { eventually } from './support/eventually.ts';
import { echoOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';
import {
  answerOn,
  beginSession,
  carrierTo,
  closed,
  echoOver,
  helloOn,
  sayHello,
} from './support/session-client.ts';

/** Refusals that are not held back for long. */
const quick = { firstRefusalDelayMs: 1, longestRefusalDelayMs: 1 };

const notPaired = { code: refusals.notPaired };

describe('who begins a session', () => {
  it('is served with the secret', async () => {
    const { pairing, relay } = await testRelay();
    const { session } = await beginSession(pairing);
    expect(await echoOver(session, await echoOrigin(), 'hello')).toBe('hello');
    expect(relay.status()).toMatchObject({ sessions: 1, carriers: 1, strangers: 0, notPaired: 0 });
  });

  it('is refused with another secret, and learns nothing from the words', async () => {
    const { pairing, relay } = await testRelay({ limits: quick });
    const answers = [];
    for (const otherwise of [
      { secret: 'guessed' },
      { user: 'somebody' },
      { user: 'somebody', secret: 'x' },
    ]) {
      const socket = await carrierTo(pairing);
      answers.push(await sayHello(socket, pairing, otherwise));
      await closed(socket);
    }
    const [first] = answers;
    expect(first).toMatchObject({ refused: notPaired });
    for (const answer of answers) expect(answer).toEqual(first);
    await eventually(() => relay.status()).toMatchObject({
      sessions: 0,
      carriers: 0,
      connections: 0,
      notPaired: 3,
    });
  });

  it('waits the longer for a refusal the more often it guesses, whether or not there is such a user', async () => {
    const { pairing } = await testRelay({
      limits: { firstRefusalDelayMs: 40, longestRefusalDelayMs: 10_000 },
    });
    const tookMs = [];
    for (const user of ['manypath', 'somebody', 'manypath', 'somebody']) {
      const socket = await carrierTo(pairing);
      const askedAt = performance.now();
      await sayHello(socket, pairing, { user, secret: 'guessed' });
      tookMs.push(performance.now() - askedAt);
    }
    for (const [index, ms] of tookMs.entries()) expect(ms).toBeGreaterThanOrEqual(40 * 2 ** index - 2);
  });

  it('is refused with the HELLO of another connection', async () => {
    const { pairing } = await testRelay({ limits: quick });
    const [one, other] = [await carrierTo(pairing), await carrierTo(pairing)];
    const hello = helloOn(one, pairing);
    other.write(hello);
    expect(await answerOn(other, pairing)).toMatchObject({ refused: notPaired });
    one.write(hello);
    expect(await answerOn(one, pairing)).toHaveProperty('welcome');
  });

  it('is served when HELLO comes byte by byte', async () => {
    const { pairing } = await testRelay();
    const socket = await carrierTo(pairing);
    for (const byte of helloOn(socket, pairing)) {
      await new Promise<void>(resolve => socket.write(Uint8Array.of(byte), () => resolve()));
    }
    expect(await answerOn(socket, pairing)).toHaveProperty('welcome');
  });

  it('is closed when it says nothing, or not all of it, in time', async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 300 } });
    const sockets = [await carrierTo(pairing), await carrierTo(pairing)];
    sockets[1]?.write(helloOn(sockets[1], pairing).subarray(0, 20));
    await Promise.all(sockets.map(closed));
    await eventually(() => relay.status().connections).toBe(0);
  });

  const others: [string, Uint8Array][] = [
    ['HELLO that is too long', encodeFrame(frameTypes.hello, 0, new Uint8Array(4_000))],
    ['HELLO that is empty', encodeFrame(frameTypes.hello, 0)],
    ['HELLO of another version', encodeFrame(frameTypes.hello, 0, new Uint8Array(200).fill(9))],
    ['HELLO that is cut short', encodeFrame(frameTypes.hello, 0, new Uint8Array(30).fill(1))],
    ['a tunnel', encodeFrame(frameTypes.open, 1, Buffer.from('\x01\x00\x00\x01\x00\x00localhost:1'))],
    ['data', encodeFrame(frameTypes.data, 1, new Uint8Array(100))],
    ['PING', encodeFrame(frameTypes.ping, 0, new Uint8Array(8))],
    ['a frame of no known type', encodeFrame(0xff, 0)],
    ['noise', randomBytes(600)],
  ];
  for (const [what, bytes] of others) {
    it(`is closed when it begins with ${what}`, async () => {
      const { pairing, relay } = await testRelay();
      const socket = await carrierTo(pairing);
      let answered = 0;
      socket.on('data', ({ length }) => {
        answered += length;
      });
      socket.write(bytes);
      await closed(socket);
      expect(answered).toBe(0);
      expect(relay.status()).toMatchObject({ sessions: 0, carriers: 0, tunnelsOpened: 0 });
    });
  }
});

describe('who goes on with a session', () => {
  it('is served with its key', async () => {
    const { pairing, relay } = await testRelay();
    const { welcome } = await beginSession(pairing);
    const answer = await sayHello(await carrierTo(pairing), pairing, {
      carrier: 2,
      session: welcome.session,
    });
    expect(answer).toMatchObject({ welcome: { session: welcome.session } });
    expect(relay.status()).toMatchObject({ sessions: 1, carriers: 2 });
  });

  it('is told the same with a wrong key as of a session that never was', async () => {
    const { pairing } = await testRelay();
    const { session, welcome } = await beginSession(pairing);
    const { id, key } = welcome.session;
    const wrong = [
      { id, key: randomBytes(key.length) },
      { id: randomBytes(id.length), key },
    ];
    const answers = [];
    for (const [index, other] of wrong.entries()) {
      answers.push(await sayHello(await carrierTo(pairing), pairing, { carrier: 2 + index, session: other }));
    }
    expect(answers[0]).toMatchObject({ refused: { code: refusals.noSession } });
    expect(answers[1]).toEqual(answers[0]);
    expect(await echoOver(session, await echoOrigin(), 'still there')).toBe('still there');
  });

  it('begins another one on the same connection when that one is gone', async () => {
    const { pairing } = await testRelay();
    const socket = await carrierTo(pairing);
    const gone = { id: randomBytes(16), key: randomBytes(32) };
    const answer = await sayHello(socket, pairing, { carrier: 7, session: gone });
    expect(answer).toMatchObject({ refused: { code: refusals.noSession } });
    expect(await sayHello(socket, pairing, { carrier: 1 })).toHaveProperty('welcome');
  });

  it('is closed when it begins no other one in time', async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 300 } });
    const socket = await carrierTo(pairing);
    await sayHello(socket, pairing, { carrier: 7, session: { id: randomBytes(16), key: randomBytes(32) } });
    await closed(socket);
    await eventually(() => relay.status().connections).toBe(0);
  });

  it('is refused without the secret, key or no key', async () => {
    const { pairing } = await testRelay({ limits: quick });
    const { welcome } = await beginSession(pairing);
    const socket = await carrierTo(pairing);
    const answer = await sayHello(socket, pairing, {
      carrier: 2,
      secret: 'guessed',
      session: welcome.session,
    });
    expect(answer).toMatchObject({ refused: notPaired });
  });

  it('does not harm it with the number of a carrier that is in use', async () => {
    const { pairing } = await testRelay();
    const { session, welcome } = await beginSession(pairing);
    const socket = await carrierTo(pairing);
    socket.write(helloOn(socket, pairing, { carrier: 1, session: welcome.session }));
    await closed(socket);
    expect(await echoOver(session, await echoOrigin(), 'still there')).toBe('still there');
  });
});
