import { randomBytes } from 'node:crypto';
import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { type Gateway, gatewayLimits } from '../src/index.ts';
import { allOf, connectStatus, curl, dial, someOf, tunnelTo, urlOf } from './support/client.ts';
import { closedPort, echoOrigin, httpOrigin, tcpOrigin } from './support/origins.ts';
import { startGateway, until } from './support/scope.ts';
import { StandInRelay, type StandInRelayOptions, type Verdict } from './support/stand-in-relay.ts';

/** A relay, and a gateway that is connected to it. */
async function pair(
  options: StandInRelayOptions = {},
  gatewayOptions: Parameters<typeof startGateway>[0] = {},
) {
  const relay = await StandInRelay.start(options);
  const gateway = await startGateway({ relay: relay.pairing, ...gatewayOptions });
  await isReady(gateway);
  return { relay, gateway };
}

function isReady(gateway: Gateway): Promise<void> {
  return until(() => gateway.status().relay?.state === 'ready');
}

describe.each([true, false])('a relay (HTTP/2: %s)', http2 => {
  it('carries tunnels and plain requests byte-exact', async () => {
    const { relay, gateway } = await pair({ http2 });
    const echo = await echoOrigin();
    const payload = randomBytes(3_000_000);
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    const answer = allOf(socket);
    socket.end(payload);
    expect(payload.equals(await answer)).toBe(true);

    const web = await httpOrigin((message, response) => message.pipe(response));
    for (let round = 0; round < 3; round++) {
      const { stdout } = await curl(
        '-x',
        urlOf(gateway),
        '-d',
        `round ${round}`,
        `http://web.example:${web.port}/`,
      );
      expect(stdout).toBe(`round ${round}`);
    }
    expect(relay.targets).toEqual([
      `echo.example:${echo.port}`,
      ...Array.from({ length: 3 }, () => `web.example:${web.port}`),
    ]);
    await until(() => gateway.status().connections.length === 0);
    expect(gateway.status().totals).toMatchObject({ opened: 4, failed: 0 });
    expect(gateway.status().totals.bytesIn).toBeGreaterThan(payload.length);
    expect(gateway.status().totals.bytesOut).toBeGreaterThan(payload.length);
  });

  it('that could not reach the target: the client is told', async () => {
    const { gateway } = await pair({ http2 });
    const result = await curl('-i', '-x', urlOf(gateway), `http://gone.example:${await closedPort()}/`);
    expect(result.stdout).toMatch(/^HTTP\/1.1 502 /);
    expect(result.stdout).toContain('MANYPATH_RELAY_TARGET');
    expect(await connectStatus(gateway.proxy, `gone.example:${await closedPort()}`)).toBe('502');
  });

  it.each<[Verdict, string]>([
    [403, '403'],
    [503, '503'],
    [504, '504'],
    [500, '502'],
  ])('that answers %s: the client gets %s', async (verdict, status) => {
    const { gateway } = await pair({ http2, decide: () => verdict });
    expect(await connectStatus(gateway.proxy, 'some.example:80')).toBe(status);
  });

  it('with another secret is seen as refusing', async () => {
    const relay = await StandInRelay.start({ http2 });
    const gateway = await startGateway({ relay: { ...relay.pairing, secret: 'wrong' } });
    await until(() => gateway.status().relay?.state === 'refused');
    expect(gateway.status().relay?.reason).toContain('the secret is wrong');
    const { stdout } = await curl('-i', '-x', urlOf(gateway), 'http://some.example/');
    expect(stdout).toMatch(/^HTTP\/1.1 502 /);
    expect(stdout).toContain('MANYPATH_RELAY_REFUSED');
  });

  it('with another key is not trusted', async () => {
    const relay = await StandInRelay.start({ http2 });
    const gateway = await startGateway({ relay: { ...relay.pairing, pin: 'A'.repeat(43) } });
    await until(() => gateway.status().relay?.state === 'refused');
    const { stdout } = await curl('-x', urlOf(gateway), 'http://some.example/');
    expect(stdout).toContain('MANYPATH_RELAY_UNTRUSTED');
    expect(relay.targets).toEqual([]);
  });

  it('without a pin must have a certificate that is trusted', async () => {
    const relay = await StandInRelay.start({ http2 });
    const gateway = await startGateway({ relay: { ...relay.pairing, pin: undefined } });
    await until(() => gateway.status().relay?.state === 'refused');
    const { stdout } = await curl('-x', urlOf(gateway), 'http://some.example/');
    expect(stdout).toContain('MANYPATH_RELAY_UNTRUSTED');
  });

  it('that is killed: 502 at once, and all is well when it is back', async () => {
    const clock = new SimulatedClock();
    const { relay, gateway } = await pair({ http2 }, { clock });
    const echo = await echoOrigin();
    const target = { host: 'echo.example', port: echo.port };
    const open = await tunnelTo(gateway.proxy, target);
    await relay.kill();
    // What was open breaks off: the client must not take it for an ordinary end.
    const broken = new Promise(resolve => open.once('error', resolve));
    open.resume();
    expect(await broken).toMatchObject({ code: 'ECONNRESET' });
    // Time stands still: an answer that waited for anything would never come.
    const answer = await curl('-i', '-x', urlOf(gateway), 'http://some.example/');
    expect(answer.stdout).toMatch(/^HTTP\/1.1 502 /);
    expect(answer.stdout).toContain('MANYPATH_RELAY_AWAY');
    expect(gateway.status().relay).toMatchObject({ state: 'away' });

    await relay.listen();
    // The very first request afterwards is served: it is tried again because somebody asks.
    clock.advance(gatewayLimits.demandRetryMs);
    const socket = await tunnelTo(gateway.proxy, target);
    socket.end('back');
    expect((await allOf(socket)).toString()).toBe('back');
    await isReady(gateway);
  });
});

describe('lanes to a relay', () => {
  it('are two when nothing is to be done, and known to be healthy', async () => {
    const { gateway } = await pair();
    await until(() => gateway.status().relay?.lanes.length === 2);
    expect(gateway.status().relay).toMatchObject({
      state: 'ready',
      reason: null,
      retryInMs: null,
      lanes: [
        { state: 'ready', streams: 0 },
        { state: 'ready', streams: 0 },
      ],
    });
  });

  it('take the first bytes of a client along with its request', async () => {
    const { relay, gateway } = await pair();
    const seen: string[] = [];
    const origin = await tcpOrigin(socket => {
      socket.once('data', bytes => {
        seen.push(bytes.toString());
        socket.end();
      });
    });
    const socket = await dial(gateway.proxy);
    const target = `origin.example:${origin.port}`;
    socket.write(`CONNECT ${target} HTTP/1.1\r\n\r\nfirst`);
    await allOf(socket);
    expect(seen).toEqual(['first']);
    expect(relay.targets).toEqual([target]);
  });

  it('do not make a client wait for a target that was reached before', async () => {
    let answerNow: (verdict: Verdict) => void = () => {};
    let asked = 0;
    const decide = (): Verdict | Promise<Verdict> => {
      asked += 1;
      return asked === 1 ? 200 : new Promise(resolve => (answerNow = resolve));
    };
    const { gateway } = await pair({ decide });
    const echo = await echoOrigin();
    const target = { host: 'echo.example', port: echo.port };
    (await tunnelTo(gateway.proxy, target)).destroy();
    // The relay has not answered for the second one when the client is told to go ahead.
    const socket = await tunnelTo(gateway.proxy, target);
    socket.end('early');
    await until(() => asked === 2);
    answerNow(200);
    expect((await allOf(socket)).toString()).toBe('early');
  });

  it('break a client off that was told too early', async () => {
    let verdict: Verdict = 200;
    const { gateway } = await pair({ decide: () => verdict });
    const echo = await echoOrigin();
    const target = { host: 'echo.example', port: echo.port };
    (await tunnelTo(gateway.proxy, target)).destroy();
    verdict = 502;
    const socket = await tunnelTo(gateway.proxy, target);
    const broken = new Promise(resolve => socket.once('error', resolve));
    socket.write('hello');
    socket.resume();
    expect(await broken).toMatchObject({ code: 'ECONNRESET' });
    // From now on it is asked before the client is told.
    expect(await connectStatus(gateway.proxy, `echo.example:${echo.port}`)).toBe('502');
  });

  it('leave a bulk transfer its lane while another one is free', async () => {
    const { relay, gateway } = await pair();
    await until(() => gateway.status().relay?.lanes.length === 2);
    const source = await tcpOrigin(socket => {
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', more);
      socket.on('error', () => {});
      more();
    });
    const bulk = await tunnelTo(gateway.proxy, { host: 'bulk.example', port: source.port });
    bulk.resume();
    // A bulk transfer occupies one of the two lanes: a third is made, so that one stays free when the next begins.
    const echo = await echoOrigin();
    const bulkLane = relay.lanes.at(-1)?.session;
    await new Promise(resolve => setTimeout(resolve, 600));
    for (let at = 0; at < 6; at++) {
      await tunnelTo(gateway.proxy, { host: `small-${at}.example`, port: echo.port });
    }
    const used = relay.lanes
      .filter(({ target }) => target.startsWith('small-'))
      .map(({ session }) => session);
    expect(used).toHaveLength(6);
    expect(used).not.toContain(bulkLane);
    bulk.destroy();
  });

  it('become more when every one of them is busy, up to the limit', async () => {
    const { gateway } = await pair({ maxConcurrentStreams: 2 }, { limits: { lanesMost: 4 } });
    const echo = await echoOrigin();
    const sockets = [];
    for (let at = 0; at < 8; at++) {
      sockets.push(await tunnelTo(gateway.proxy, { host: `e${at}.example`, port: echo.port }));
    }
    expect(gateway.status().relay?.lanes).toHaveLength(4);
    expect(gateway.status().relay?.lanes.map(({ streams }) => streams)).toEqual([2, 2, 2, 2]);
    for (const socket of sockets) socket.destroy();
  });

  it('are replaced when the relay asks to leave them, and what they carry ends in peace', async () => {
    const { relay, gateway } = await pair();
    await until(() => gateway.status().relay?.lanes.length === 2);
    const echo = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    const old = [...relay.sessions];
    for (const session of old) session.close();
    await until(
      () => relay.sessions.size >= 2 && [...relay.sessions].some(session => !old.includes(session)),
    );
    socket.write('still here');
    expect((await someOf(socket, 10)).toString()).toBe('still here');
    const next = await tunnelTo(gateway.proxy, { host: 'echo2.example', port: echo.port });
    next.end('new');
    expect((await allOf(next)).toString()).toBe('new');
    expect(old).not.toContain(relay.lanes.at(-1)?.session);
    socket.end();
    await until(() => gateway.status().relay?.lanes.every(({ state }) => state === 'ready') === true);
  });
});

describe('a tunnel through a lane', () => {
  it('that a client breaks off does not look complete to the other end', async () => {
    const { gateway } = await pair();
    const ends: string[] = [];
    const origin = await tcpOrigin(socket => {
      socket.resume();
      socket.once('end', () => ends.push('end'));
      socket.once('close', () => ends.push('close'));
    });
    for (let round = 0; round < 3; round++) {
      const socket = await tunnelTo(gateway.proxy, { host: `origin-${round}.example`, port: origin.port });
      socket.write(randomBytes(100_000));
      await until(() => gateway.status().connections[0]?.bytesOut === 100_000);
      socket.resetAndDestroy();
      await until(() => ends.length === round + 1);
    }
    expect(ends).toEqual(['close', 'close', 'close']);
  });

  it('does not hold up others when its client does not read, nor take all memory', async () => {
    const limits = {
      lanesLeast: 1,
      lanesMost: 1,
      streamWindowBytes: 4_000_000,
      narrowWindowBytes: 65_536,
      laneWaitingBytes: 6_000_000,
    };
    const { gateway } = await pair({}, { limits });
    const source = await tcpOrigin(socket => {
      socket.on('error', () => {});
      const chunk = Buffer.alloc(65_536);
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', more);
      more();
    });
    const stuck = async (name: string) => {
      for (let at = 0; at < 4; at++) {
        await tunnelTo(gateway.proxy, { host: `${name}-${at}.example`, port: source.port });
      }
      await settled(() => gateway.status().relay?.lanes[0]?.subflows[0]?.bytesIn ?? 0);
    };
    await stuck('first');
    const filled = gateway.status().relay?.lanes[0]?.subflows[0]?.bytesIn ?? 0;
    expect(filled).toBeGreaterThan(12_000_000);
    await stuck('second');
    // The windows are narrow by now: what waits for these is what the kernel takes, and hardly more.
    const more = (gateway.status().relay?.lanes[0]?.subflows[0]?.bytesIn ?? 0) - filled;
    expect(more).toBeLessThan(filled * 0.75);

    const echo = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    const payload = randomBytes(1_000_000);
    const answer = allOf(socket);
    socket.end(payload);
    expect(payload.equals(await answer)).toBe(true);
  });
});

/** Waits until a number has been the same for half a second. */
async function settled(read: () => number): Promise<void> {
  let last = Number.NaN;
  let same = 0;
  await until(() => {
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
    return same > 80;
  });
}

describe('the route past a relay', () => {
  it('is taken to what only this host can reach', async () => {
    const { relay, gateway } = await pair();
    const echo = await echoOrigin();
    for (const host of ['127.0.0.1', 'localhost']) {
      const socket = await tunnelTo(gateway.proxy, { host, port: echo.port });
      expect(gateway.status().connections.at(-1)).toMatchObject({ route: 'tcp' });
      socket.destroy();
    }
    expect(relay.targets).toEqual([]);
  });

  it('is taken while the relay is away if that is wanted', async () => {
    const relay = await StandInRelay.start();
    await relay.kill();
    const echo = await echoOrigin();
    const gateway = await startGateway({
      relay: relay.pairing,
      failover: 'straight',
      localNames: ['echo.example'],
      lookup: async () => [{ address: '127.0.0.1', family: 4 }],
    });
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    socket.end('straight');
    expect((await allOf(socket)).toString()).toBe('straight');
  });
});
