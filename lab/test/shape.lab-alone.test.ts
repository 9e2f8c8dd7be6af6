import { PatternCheck } from '@manypath/lab';
import { info } from '@manypath/mptcp';
import { expect, test } from 'vitest';
import { describeLab, echoServer, labFor, measure, reach, roundTrip, sourceServer } from './support.ts';

describeLab('the shape of a link', () => {
  test('each link has its own rate towards the client', async () => {
    const lab = await labFor({
      links: [
        { name: 'a', rateMbit: 30 },
        { name: 'b', rateMbit: 10 },
      ],
      congestion: 'reno',
    });
    const port = await sourceServer(lab);
    for (const [device, rate] of [
      ['a', 30],
      ['b', 10],
    ] as const) {
      const { mbps } = await measure(await reach(lab, { port, device }), 1500);
      expect(mbps, device).toBeGreaterThan(rate * 0.85);
      expect(mbps, device).toBeLessThan(rate);
    }
  });

  test('the rate from the client can be another one', async () => {
    const lab = await labFor({
      links: [{ name: 'a', rateMbit: 40, uploadMbit: 10 }, { name: 'b' }],
      congestion: 'reno',
    });
    const port = await echoServer(lab);
    const socket = await reach(lab, { port });
    const chunk = Buffer.alloc(65_536);
    const fill = () => {
      while (socket.write(chunk));
    };
    socket.on('drain', fill);
    fill();
    const { mbps } = await measure(socket, 1500);
    expect(mbps).toBeGreaterThan(8);
    expect(mbps).toBeLessThan(10);
  });

  test('a rate changes under a running transfer', async () => {
    const lab = await labFor({ links: [{ name: 'a', rateMbit: 10 }, { name: 'b' }], congestion: 'reno' });
    const socket = await reach(lab, { port: await sourceServer(lab) });
    expect((await measure(socket, 800)).mbps).toBeLessThan(11);
    await lab.shape('a', { rateMbit: 40 });
    expect(lab.link('a').shape).toMatchObject({ rateMbit: 40, uploadMbit: 40, delayMs: 0 });
    await measure(socket, 500);
    expect((await measure(socket, 1000)).mbps).toBeGreaterThan(25);
  });

  test('the standing queue of a full link is about 50 ms', async () => {
    const lab = await labFor({ links: [{ name: 'a', rateMbit: 20 }, { name: 'b' }], congestion: 'reno' });
    const idle = await reach(lab, { port: await echoServer(lab) });
    const bulk = await reach(lab, { port: await sourceServer(lab) });
    await measure(bulk, 1000);
    bulk.on('data', () => {});
    const trips: number[] = [];
    for (let n = 0; n < 10; n++) trips.push((await roundTrip(idle, 2000)) ?? 2000);
    trips.sort((one, other) => one - other);
    expect(trips[5]).toBeGreaterThan(10);
    expect(trips[5]).toBeLessThan(90);
  });

  test('delay adds twice itself to the round trip, from the first packet on', async () => {
    const lab = await labFor({ links: [{ name: 'a', delayMs: 20 }, { name: 'b' }] });
    const port = await echoServer(lab);
    for (const host of [lab.addresses.origin, lab.addresses.origin6]) {
      const start = performance.now();
      const socket = await reach(lab, { host, port });
      const handshake = performance.now() - start;
      const trip = await roundTrip(socket, 2000);
      for (const ms of [handshake, trip]) {
        expect(ms).toBeGreaterThan(39);
        expect(ms).toBeLessThan(65);
      }
    }
    expect(await roundTrip(await reach(lab, { port, device: 'b' }), 2000)).toBeLessThan(20);
  });

  test('a delay comes, changes and goes on a link that was made without', async () => {
    const lab = await labFor();
    const port = await echoServer(lab);
    const socket = await reach(lab, { port });
    expect(await roundTrip(socket, 2000)).toBeLessThan(20);
    await lab.shape('a', { delayMs: 30 });
    expect(await roundTrip(socket, 3000)).toBeGreaterThan(59);
    await lab.shape('a', { delayMs: 15 });
    const trip = await roundTrip(socket, 3000);
    expect(trip).toBeGreaterThan(29);
    expect(trip).toBeLessThan(55);
    await lab.shape('a', { delayMs: 0 });
    expect(await roundTrip(socket, 3000)).toBeLessThan(20);
    expect(lab.describe().join('\n')).toMatch(/delayed and lost by/);
  });

  test('a delayed link carries its rate, byte-exact, and takes every fault', async () => {
    const lab = await labFor({ links: [{ name: 'a', rateMbit: 60, delayMs: 15 }, { name: 'b' }] });
    const socket = await reach(lab, { port: await sourceServer(lab) });
    const check = new PatternCheck();
    socket.on('data', chunk => check.push(chunk));
    await measure(socket, 1000);
    const { mbps } = await measure(socket, 1500);
    expect(mbps).toBeGreaterThan(45);
    expect(mbps).toBeLessThan(60);
    const echo = await reach(lab, { port: await echoServer(lab) });
    for (const kind of ['blackhole', 'carrier', 'admin', 'address', 'carrier'] as const) {
      await lab.cut('a', kind);
      expect(await roundTrip(echo, 300), kind).toBeUndefined();
      await lab.heal('a');
      expect(await roundTrip(await reach(lab, { port: await echoServer(lab) }), 3000), kind).toBeGreaterThan(
        29,
      );
    }
    expect(check.offset).toBeGreaterThan(10_000_000);
    expect(check.mismatchAt).toBeUndefined();
  });

  test('the counters of a link tell what crossed it, each way', async () => {
    const lab = await labFor();
    const before = lab.counters('a');
    const socket = await reach(lab, { port: await sourceServer(lab) });
    const { bytes } = await measure(socket, 500);
    const after = lab.counters('a');
    expect(after.toClient - before.toClient).toBeGreaterThan(bytes);
    expect(after.fromClient - before.fromClient).toBeLessThan((after.toClient - before.toClient) / 10);
    expect(lab.counters('b').toClient).toBeLessThan(10_000);
  });
});

describeLab('Multipath TCP in the lab', () => {
  test('over two links it carries clearly more than over one', async () => {
    const lab = await labFor({
      links: [
        { name: 'a', rateMbit: 20 },
        { name: 'b', rateMbit: 20 },
      ],
      congestion: 'reno',
    });
    const port = await sourceServer(lab, 'originMptcp');
    const host = lab.addresses.originMptcp;
    const plain = await reach(lab, { host, port, mptcp: false });
    const single = await measure(plain, 2000);
    plain.destroy();
    await lab.exec('client', [
      'ip',
      'mptcp',
      'endpoint',
      'add',
      lab.addresses.clientB,
      'dev',
      'b',
      'subflow',
    ]);
    const socket = await reach(lab, { host, port, mptcp: true });
    await measure(socket, 500);
    const both = await measure(socket, 2000);
    const seen = info(socket);
    expect(seen.multipath).toBe(true);
    expect(seen.subflowCount).toBe(2);
    console.log(`one link ${single.mbps.toFixed(1)}, two ${both.mbps.toFixed(1)} Mbit/s`);
    expect(both.mbps).toBeGreaterThan(single.mbps * 1.6);
    expect(lab.counters('b').toClient).toBeGreaterThan(2_000_000);
  });
});
