import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { startRelay } from '../src/index.ts';
import { connectHttp1, connectHttp2, http2To, readText, tlsTo } from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { echoOrigin } from './support/origins.ts';
import { temporaryFolder, testRelay } from './support/relay.ts';

describe('a relay that closes', () => {
  it('lets open tunnels end by themselves, and tells HTTP/2 clients to open no more', async () => {
    const { pairing, relay } = await testRelay();
    const session = await http2To(pairing);
    const target = await echoOrigin();
    const tunnels = [await connectHttp2(session, pairing, target), await connectHttp1(pairing, target)];
    const streams = tunnels.map(tunnel => ('stream' in tunnel ? tunnel.stream : tunnel.socket));
    const goaway = once(session, 'goaway');
    const closed = relay.close(10_000);
    expect((await goaway)[0]).toBe(0);
    await expect(tlsTo(pairing)).rejects.toThrow();
    for (const stream of streams) {
      stream.end('to the end');
      expect(await readText(stream)).toBe('to the end');
    }
    await closed;
    expect(relay.status()).toMatchObject({ connections: 0, tunnels: 0 });
  });

  it('breaks off what is open when the time is up', async () => {
    const { pairing, relay } = await testRelay();
    const session = await http2To(pairing);
    const target = await echoOrigin();
    const { stream } = await connectHttp2(session, pairing, target);
    const { socket } = await connectHttp1(pairing, target);
    socket.on('error', () => {});
    const gone = [
      new Promise(resolve => stream.once('close', resolve)),
      new Promise(resolve => socket.once('close', resolve)),
    ];
    socket.resume();
    await relay.close(20);
    await Promise.all(gone);
    await eventually(() => relay.status()).toMatchObject({ connections: 0, sessions: 0, tunnels: 0 });
  });

  it('can be closed again and again', async () => {
    const { relay } = await testRelay();
    await Promise.all([relay.close(0), relay.close(0)]);
    await relay.close();
  });

  it('leaves its port to the next one, which serves the same clients', async () => {
    const { pairing, relay, stateDir } = await testRelay();
    await connectHttp2(await http2To(pairing), pairing, await echoOrigin());
    await relay.close(0);
    await testRelay({ stateDir, listen: relay.address });
    expect((await connectHttp1(pairing, await echoOrigin())).status).toBe(200);
  });

  it('does so when its signal is aborted', async () => {
    const stop = new AbortController();
    const { pairing } = await testRelay({ signal: stop.signal, limits: { closeGraceMs: 0 } });
    await tlsTo(pairing);
    stop.abort();
    await eventually(() =>
      tlsTo(pairing).then(
        () => 'open',
        () => 'closed',
      ),
    ).toBe('closed');
  });
});

it('does not start with a signal that is aborted already', async () => {
  const start = startRelay({
    listen: { host: '127.0.0.1', port: 0 },
    stateDir: temporaryFolder(),
    signal: AbortSignal.abort(new Error('not today')),
  });
  await expect(start).rejects.toThrow('not today');
});

it('says that a port is taken', async () => {
  const { relay } = await testRelay();
  const second = startRelay({ listen: relay.address, stateDir: temporaryFolder() });
  await expect(second).rejects.toMatchObject({ code: 'MPTCP_BIND_FAILED' });
});

it('says that there is no such congestion control', async () => {
  const start = startRelay({
    listen: { host: '127.0.0.1', port: 0 },
    stateDir: temporaryFolder(),
    congestion: 'none',
  });
  await expect(start).rejects.toMatchObject({ code: 'MPTCP_OPTION_FAILED' });
});
