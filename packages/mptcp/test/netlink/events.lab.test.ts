import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { PathManager, type RouteEvent, RouteSocket } from '../../src/netlink/index.ts';
import { describeLab, eventThat, makeTwoLinks, run, type TwoLinks } from './support.ts';

type Of<T extends RouteEvent['type']> = Extract<RouteEvent, { type: T }>;

const isOf =
  <T extends RouteEvent['type']>(type: T, fits: (event: Of<T>) => boolean = () => true) =>
  (event: RouteEvent): event is Of<T> =>
    event.type === type && fits(event as Of<T>);

describeLab('changes of the network', () => {
  let links: TwoLinks;
  let socket: RouteSocket;

  beforeAll(() => {
    links = makeTwoLinks();
    socket = RouteSocket.open({ namespace: links.client });
    return () => socket.close();
  });

  test('are told for links that come, change and go', async () => {
    const events = socket.events();
    run(`ip -n ${links.client} link add c0 type veth peer name c1`);
    const added = await eventThat(
      events,
      isOf('link', ({ link }) => link.name === 'c0'),
    );
    expect(added).toMatchObject({ action: 'set', link: { kind: 'veth', up: false, running: false } });
    run(`ip -n ${links.client} link set c0 up`);
    run(`ip -n ${links.client} link set c1 up`);
    const running = await eventThat(
      events,
      isOf('link', ({ link }) => link.name === 'c0' && link.running),
    );
    expect(running.link).toMatchObject({ index: added.link.index, up: true, carrier: true });
    run(`ip -n ${links.client} link set c1 down`);
    const cut = await eventThat(
      events,
      isOf('link', ({ link }) => link.name === 'c0' && !link.running),
    );
    expect(cut.link).toMatchObject({ up: true, carrier: false });
    run(`ip -n ${links.client} link del c0`);
    const gone = await eventThat(
      events,
      isOf('link', ({ action, link }) => action === 'removed' && link.name === 'c0'),
    );
    expect(gone.link.index).toBe(added.link.index);
    await events.return?.();
  });

  test.each(['10.77.9.1/24', 'fd77:9::1/64'])(
    'are told for the address %s, with the name of its device',
    async address => {
      const events = socket.events();
      const bare = address.replace(/\/.*/, '');
      run(`ip -n ${links.client} addr add ${address} dev b0`);
      const added = await eventThat(
        events,
        isOf('address', event => event.address.address === bare),
      );
      expect(added).toMatchObject({ action: 'set', address: { device: 'b0' } });
      run(`ip -n ${links.client} addr del ${address} dev b0`);
      const gone = await eventThat(
        events,
        isOf('address', event => event.action === 'removed' && event.address.address === bare),
      );
      expect(gone.address).toMatchObject({ device: 'b0' });
      await events.return?.();
    },
  );

  test('are told for routes and rules of both families', async () => {
    const events = socket.events();
    const changes = [
      { type: 'route', change: { destination: '10.200.0.0/16', gateway: '10.77.1.2', table: 300 } },
      { type: 'route', change: { destination: '2001:db8:9::/48', gateway: 'fd77:1::2', table: 300 } },
      { type: 'rule', change: { from: '10.77.1.1/32', table: 300, priority: 20 } },
      { type: 'rule', change: { from: 'fd77:1::1/128', table: 300, priority: 21 } },
    ] as const;
    for (const { type, change } of changes) {
      if (type === 'route') {
        socket.addRoute(change);
        const route = isOf('route', event => event.route.destination === change.destination);
        expect(await eventThat(events, route)).toMatchObject({
          action: 'set',
          route: { ...change, device: 'a0', protocol: 77 },
        });
        socket.removeRoute(change);
        expect(await eventThat(events, route)).toMatchObject({ action: 'removed', route: change });
      } else {
        socket.addRule(change);
        const rule = isOf('rule', event => event.rule.priority === change.priority);
        expect(await eventThat(events, rule)).toMatchObject({ action: 'set', rule: change });
        socket.removeRule(change);
        expect(await eventThat(events, rule)).toMatchObject({ action: 'removed', rule: change });
      }
    }
    await events.return?.();
  });

  test('of the kinds asked for only, and with the names of devices that came later', async () => {
    const events = socket.events(undefined, ['address']);
    run(`ip -n ${links.client} link add c0 type veth peer name c1`);
    run(`ip -n ${links.client} link set c0 name late0`);
    run(`ip -n ${links.client} addr add 10.66.0.1/24 dev late0`);
    const first = (await events.next()).value;
    expect(first).toMatchObject({ type: 'address', address: { address: '10.66.0.1', device: 'late0' } });
    run(`ip -n ${links.client} link del late0`);
    await events.return?.();
  });

  test('that happen between the subscription and the first wait are not lost', async () => {
    const events = socket.events();
    socket.addRoute({ destination: '10.201.0.0/16', gateway: '10.77.1.2' });
    socket.removeRoute({ destination: '10.201.0.0/16', gateway: '10.77.1.2' });
    expect([(await events.next()).value, (await events.next()).value]).toMatchObject([
      { type: 'route', action: 'set' },
      { type: 'route', action: 'removed' },
    ]);
    await events.return?.();
  });

  test('end when the signal says so, also while one waits', async () => {
    const aborter = new AbortController();
    const events = socket.events(aborter.signal);
    const waiting = events.next();
    aborter.abort();
    expect(await waiting).toEqual({ value: undefined, done: true });
    for await (const _ of socket.events(AbortSignal.abort())) throw new Error('an event after the end');
  });

  test('leave no descriptor behind', async () => {
    const { readdirSync } = await import('node:fs');
    const count = (): number => readdirSync('/proc/self/fd').length;
    const once = async (): Promise<void> => {
      const other = RouteSocket.open({ namespace: links.client });
      const events = other.events();
      other.close();
      await events.return?.();
      PathManager.open({ namespace: links.client }).close();
    };
    await once();
    const before = count();
    for (let i = 0; i < 50; i++) await once();
    // libuv closes a watched descriptor's handle in the turn after.
    await expect.poll(count).toBeLessThanOrEqual(before);
  });

  describe('faster than they are read', () => {
    const flood = (count: number): void => {
      for (let i = 0; i < count; i++) {
        const rule = { from: `10.50.${i >> 8}.${i & 255}/32`, table: 300, priority: 5000 + i };
        socket.addRule(rule);
        socket.removeRule(rule);
      }
    };

    test('are told as one overrun when the kernel runs out of room, and go on after it', async () => {
      const small = RouteSocket.open({ namespace: links.client, limits: { eventBufferBytes: 4096 } });
      const events = small.events();
      flood(300);
      const overrun = await eventThat(events, ({ type }) => type === 'overrun');
      expect(overrun).toEqual({ type: 'overrun' });
      socket.addRoute({ destination: '10.202.0.0/16', gateway: '10.77.1.2' });
      await eventThat(
        events,
        isOf('route', ({ route }) => route.destination === '10.202.0.0/16'),
      );
      socket.removeRoute({ destination: '10.202.0.0/16', gateway: '10.77.1.2' });
      await events.return?.();
      small.close();
    });

    test('are told as one overrun when too many wait here', async () => {
      const small = RouteSocket.open({ namespace: links.client, limits: { queuedEvents: 10 } });
      const events = small.events();
      flood(100);
      await new Promise(resolve => setImmediate(() => setImmediate(() => setImmediate(resolve))));
      const seen: string[] = [];
      const last = 5099;
      await eventThat(events, event => {
        seen.push(event.type);
        return event.type === 'rule' && event.action === 'removed' && event.rule.priority === last;
      });
      expect(seen).toContain('overrun');
      expect(seen.length).toBeLessThan(200);
      await events.return?.();
      small.close();
    });
  });
});

describeLab('large tables', () => {
  test('are read whole, also while they change', async () => {
    const { client } = makeTwoLinks();
    const socket = RouteSocket.open({ namespace: client });
    const stable = Array.from({ length: 3000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 255}.0/24`);
    for (const destination of stable) socket.addRoute({ destination, gateway: '10.77.1.2', table: 400 });
    const found = (): string[] => socket.routes({ table: 400 }).map(({ destination }) => destination);
    expect(found()).toEqual(stable);

    const script = Array.from({ length: 4000 }, (_, i) => {
      const n = i >> 1;
      return `addr ${i % 2 === 0 ? 'add' : 'del'} 10.90.${n >> 8}.${n & 255}/32 dev b0`;
    });
    const changer = spawn('ip', ['-n', client, '-batch', '-'], { stdio: ['pipe', 'ignore', 'inherit'] });
    const done = once(changer, 'exit');
    changer.stdin.end(`${script.join('\n')}\n`);
    let reads = 0;
    while (changer.exitCode === null && reads < 2000) {
      expect(socket.addresses().filter(({ address }) => address === '10.77.1.1')).toHaveLength(1);
      reads++;
      await new Promise(resolve => setImmediate(resolve));
    }
    await done;
    expect(reads).toBeGreaterThan(0);
    expect(found()).toEqual(stable);
    socket.close();
  });

  test('that never stand still while they are read are told as such', async () => {
    const { client } = makeTwoLinks();
    const socket = RouteSocket.open({ namespace: client, limits: { dumpAttempts: 1 } });
    const address = (i: number): string => `10.${90 + (i >> 8)}.${i & 255}.1/32`;
    for (let i = 0; i < 1000; i++) socket.addAddress('a0', { address: address(i) });
    const script = Array.from(
      { length: 20_000 },
      (_, i) => `addr ${i % 2 === 0 ? 'add' : 'del'} 10.1.1.1/32 dev a0`,
    );
    const changer = spawn('ip', ['-n', client, '-batch', '-'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const done = once(changer, 'exit');
    changer.stdin.on('error', () => {});
    changer.stdin.end(`${script.join('\n')}\n`);
    let failure: unknown;
    while (changer.exitCode === null && failure === undefined) {
      try {
        expect(socket.addresses().length).toBeGreaterThan(1000);
      } catch (error) {
        failure = error;
      }
      await new Promise(resolve => setImmediate(resolve));
    }
    changer.kill();
    await done;
    expect(failure).toMatchObject({ code: 'MPTCP_NETLINK_FAILED', errnoName: 'EINTR' });
    expect(socket.addresses().length).toBeGreaterThan(1000);
    socket.close();
  });

  test('are read in a room that is too small at first', () => {
    const { client } = makeTwoLinks();
    const small = RouteSocket.open({ namespace: client, limits: { messageBytes: 256 } });
    const usual = RouteSocket.open({ namespace: client });
    expect(small.links()).toEqual(usual.links());
    expect(small.addresses()).toEqual(usual.addresses());
    small.close();
    const tiny = RouteSocket.open({ namespace: client, limits: { messageBytes: 64, mostMessageBytes: 128 } });
    expect(() => tiny.links()).toThrow(expect.objectContaining({ code: 'MPTCP_NETLINK_MALFORMED' }));
    expect(() => tiny.rules()).toThrow(expect.objectContaining({ code: 'MPTCP_NETLINK_MALFORMED' }));
    tiny.close();
    usual.close();
  });
});
