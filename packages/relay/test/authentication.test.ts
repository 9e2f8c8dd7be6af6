import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { Authentication, NotPairedError } from '../src/authentication.ts';
import { type RelayLimits, relayLimits } from '../src/limits.ts';
import {
  authorization,
  connectHttp1,
  connectHttp2,
  http2To,
  readText,
  requestHttp2,
} from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { echoOrigin, httpOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

const challenge = 'Basic realm="manypath", charset="UTF-8"';

for (const secret of [null, 'wrong', '']) {
  describe(secret === null ? 'without a secret' : `with the secret "${secret}"`, () => {
    it('answers CONNECT in HTTP/1.1 with 407', async () => {
      const { pairing } = await testRelay();
      const { status, headers, socket } = await connectHttp1(pairing, await echoOrigin(), { secret });
      expect(status).toBe(407);
      expect(headers).toContainEqual(['Proxy-Authenticate', challenge]);
      expect(await readText(socket)).toContain('[MANYPATH_RELAY_NOT_PAIRED]');
    });

    it('answers CONNECT in HTTP/2 with 407, and goes on with the connection', async () => {
      const { pairing, relay } = await testRelay();
      const session = await http2To(pairing);
      const target = await echoOrigin();
      const { status, headers, stream } = await connectHttp2(session, pairing, target, secret);
      expect(status).toBe(407);
      expect(headers['proxy-authenticate']).toBe(challenge);
      expect(await readText(stream)).toContain('[MANYPATH_RELAY_NOT_PAIRED]');
      expect((await connectHttp2(session, pairing, target)).status).toBe(200);
      expect(relay.status().notPaired).toBe(1);
    });

    it('answers plain requests with 407, and asks no origin', async () => {
      let asked = 0;
      const origin = await httpOrigin((_request, response) => {
        asked += 1;
        response.end();
      });
      const { pairing } = await testRelay();
      const credentials: Record<string, string> =
        secret === null ? {} : { 'proxy-authorization': authorization(pairing, secret) };
      const session = await http2To(pairing);
      const headers = {
        ':method': 'GET',
        ':scheme': 'http',
        ':authority': origin,
        ':path': '/',
        ...credentials,
      };
      expect((await requestHttp2(session, headers)).status).toBe(407);
      expect(asked).toBe(0);
    });
  });
}

it('takes no other user than manypath', async () => {
  const { pairing } = await testRelay();
  const value = `Basic ${Buffer.from(`admin:${pairing.secret}`).toString('base64')}`;
  const { status } = await requestHttp2(await http2To(pairing), {
    ':method': 'CONNECT',
    ':authority': await echoOrigin(),
    'proxy-authorization': value,
  });
  expect(status).toBe(407);
});

it('sends a client away that knows nothing but wrong secrets', async () => {
  const { pairing, relay } = await testRelay({
    limits: { firstRefusalDelayMs: 1, longestRefusalDelayMs: 1 },
  });
  const session = await http2To(pairing);
  const target = await echoOrigin();
  const closed = new Promise(resolve => session.once('close', resolve));
  for (let attempt = 1; attempt < relayLimits.refusalsPerConnection; attempt++) {
    expect((await connectHttp2(session, pairing, target, 'wrong')).status).toBe(407);
  }
  session.request({ ':method': 'CONNECT', ':authority': target }).on('error', () => {});
  await closed;
  expect((await connectHttp2(await http2To(pairing), pairing, target)).status).toBe(200);
  await eventually(() => relay.status().sessions).toBe(1);
});

it('has nothing to tell a client with a certificate of another relay', async () => {
  const first = await testRelay();
  const second = await testRelay();
  expect(first.pairing.secret).not.toBe(second.pairing.secret);
  const { status } = await connectHttp1(first.pairing, 'example.org:80', { secret: second.pairing.secret });
  expect(status).toBe(407);
});

describe('the answer to a wrong secret', () => {
  const limits: RelayLimits = { ...relayLimits, firstRefusalDelayMs: 100, longestRefusalDelayMs: 3000 };
  const field = (secret: string) =>
    [['Proxy-Authorization', `Basic ${Buffer.from(`manypath:${secret}`).toString('base64')}`]] as const;

  function setUp(changed: Partial<RelayLimits> = {}) {
    const clock = new SimulatedClock();
    const authentication = new Authentication('the secret', { ...limits, ...changed }, clock);
    let hungUp = 0;
    const asker = (remoteAddress: string) => ({
      remoteAddress,
      hangUp: () => {
        hungUp += 1;
      },
    });
    /** How long a wrong secret from an address is held back, in milliseconds; -1 for not at all. */
    const heldBackFor = async (address: string, secret = 'wrong'): Promise<number> => {
      const answered = authentication.check(field(secret), asker(address)).then(
        () => 'taken',
        error => (error instanceof NotPairedError ? 'refused' : 'broken'),
      );
      await Promise.resolve();
      if (clock.pending === 0) return (await answered) === 'taken' ? -1 : 0;
      const begun = clock.now();
      while (clock.pending > 0) clock.advance(1);
      expect(await answered).toBe('refused');
      return clock.now() - begun;
    };
    return { clock, authentication, heldBackFor, asker, hungUp: () => hungUp };
  }

  it('is held back longer each time, up to a limit', async () => {
    const { heldBackFor } = setUp();
    const delays: number[] = [];
    for (let time = 0; time < 8; time++) delays.push(await heldBackFor('192.0.2.1'));
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3000, 3000, 3000]);
  });

  it('does not delay other addresses, nor the right secret', async () => {
    const { heldBackFor } = setUp();
    for (let time = 0; time < 5; time++) await heldBackFor('192.0.2.1');
    expect(await heldBackFor('192.0.2.2')).toBe(100);
    expect(await heldBackFor('192.0.2.1', 'the secret')).toBe(-1);
    expect(await heldBackFor('192.0.2.1')).toBe(100);
  });

  it('counts an IPv6 network as one, and a v4-mapped address as IPv4', async () => {
    const { heldBackFor } = setUp();
    expect(await heldBackFor('2001:db8:1:2::1')).toBe(100);
    expect(await heldBackFor('2001:db8:1:2:ffff::9')).toBe(200);
    expect(await heldBackFor('2001:db8:1:3::1')).toBe(100);
    expect(await heldBackFor('::ffff:192.0.2.7')).toBe(100);
    expect(await heldBackFor('192.0.2.7')).toBe(200);
  });

  it('is not held back when there was no secret at all: that is how programs ask', async () => {
    const { authentication, asker, clock } = setUp();
    await expect(authentication.check([], asker('192.0.2.1'))).rejects.toThrow(NotPairedError);
    expect(clock.now()).toBe(0);
    expect(authentication.remembered).toBe(0);
  });

  it('needs bounded memory, whoever asks', async () => {
    const { heldBackFor, authentication } = setUp({ rememberedAddresses: 100, firstRefusalDelayMs: 1 });
    for (let host = 0; host < 1000; host++) await heldBackFor(`198.51.${host >> 8}.${host & 255}`);
    expect(authentication.remembered).toBe(100);
  });

  it('is left out, with the connection closed, when too many are held back already', async () => {
    const { authentication, asker, clock, hungUp } = setUp({ refusalsHeldBack: 10 });
    const answers = Array.from({ length: 15 }, (_, host) =>
      authentication.check(field('wrong'), asker(`192.0.2.${host}`)).catch(error => error),
    );
    expect(authentication.heldBack).toBe(10);
    expect(hungUp()).toBe(5);
    clock.advance(3000);
    await Promise.all(answers);
    expect(authentication.heldBack).toBe(0);
  });
});
