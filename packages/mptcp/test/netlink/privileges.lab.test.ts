import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { connect, createServer, inNamespace } from '../../src/index.ts';
import { GenericNetlink } from '../../src/netlink/generic-family.ts';
import {
  DiagReader,
  diag,
  mibCounters,
  PathManager,
  RouteSocket,
  socketOwnerUid,
} from '../../src/netlink/index.ts';
import { describeLab, makeTwoLinks, type TwoLinks } from './support.ts';

const NOBODY = 65_534;

/** Runs `call` in a namespace with the effective user of nobody: no capability is left meanwhile. */
function asNobody<T>(namespace: string, call: () => T): T {
  return inNamespace(namespace, () => {
    process.seteuid?.(NOBODY);
    try {
      return call();
    } finally {
      process.seteuid?.(0);
    }
  });
}

const forbidden = expect.objectContaining({
  code: 'MPTCP_NETLINK_PERMISSION',
  errnoName: 'EPERM',
  hint: expect.stringMatching(/CAP_NET_ADMIN/),
});

describeLab('without privilege', () => {
  let links: TwoLinks;
  beforeAll(() => {
    links = makeTwoLinks();
    const manager = PathManager.open({ namespace: links.client });
    manager.addEndpoint({ address: '10.77.1.1', flags: ['subflow'], device: 'a0' });
    manager.close();
  });

  test('everything can be read', () => {
    asNobody(links.client, () => {
      const routes = RouteSocket.open();
      expect(routes.links().map(({ name }) => name)).toEqual(['lo', 'a0', 'b0']);
      expect(routes.addresses().length).toBeGreaterThan(3);
      expect(routes.routes().length).toBeGreaterThan(3);
      expect(routes.rules().length).toBeGreaterThan(3);
      expect(routes.routeTo('10.77.1.2')?.device).toBe('a0');
      routes.close();
      const manager = PathManager.open();
      expect(manager.endpoints()).toMatchObject([{ address: '10.77.1.1', device: 'a0' }]);
      expect(manager.limits()).toEqual({ subflows: 2, acceptedAddresses: 0 });
      manager.close();
      expect(diag({ listeners: true })).toEqual([]);
      expect(mibCounters()).toHaveProperty('MPTcpExtMPCapableSYNTX');
    });
  });

  test('nothing can be changed, and the error says what is missing', () => {
    asNobody(links.client, () => {
      const routes = RouteSocket.open();
      const manager = PathManager.open();
      for (const change of [
        () => routes.addRoute({ destination: '10.9.0.0/16', gateway: '10.77.1.2' }),
        () => routes.removeRoute({ destination: '10.77.1.0/24', device: 'a0', protocol: 0 }),
        () => routes.addRule({ from: '10.77.1.1', table: 9 }),
        () => routes.removeRule({ from: '10.77.1.1', table: 9 }),
        () => routes.addAddress('a0', { address: '10.9.0.1/24' }),
        () => routes.setLink('a0', { up: false }),
        () => manager.addEndpoint({ address: '10.77.2.1', flags: ['subflow'] }),
        () => manager.removeEndpoint(1),
        () => manager.setLimits({ subflows: 8 }),
        () => manager.setEndpointFlags(1, ['backup']),
        () =>
          manager.subflowDestroy(1, {
            local: { address: '10.77.1.1', port: 1 },
            remote: { address: '10.77.1.2', port: 1 },
          }),
        () => manager.events(),
      ]) {
        expect(change).toThrow(forbidden);
      }
      expect(manager.endpoints()).toHaveLength(1);
      routes.close();
      manager.close();
    });
  });

  test('changes of the network can be listened to', async () => {
    const events = asNobody(links.client, () => {
      const routes = RouteSocket.open();
      const found = routes.events();
      routes.close();
      return found;
    });
    const privileged = RouteSocket.open({ namespace: links.client });
    privileged.addRule({ from: '10.77.1.1', table: 9, priority: 4 });
    expect((await events.next()).value).toMatchObject({ type: 'rule', rule: { priority: 4, table: 9 } });
    privileged.removeRule({ from: '10.77.1.1', table: 9, priority: 4 });
    privileged.close();
    await events.return?.();
  });

  test('another namespace cannot be looked into', () => {
    asNobody(links.client, () => {
      expect(() => RouteSocket.open({ namespace: links.server })).toThrow(
        expect.objectContaining({ code: 'MPTCP_NAMESPACE_FAILED' }),
      );
    });
  });
});

describeLab('the owner of a connection', () => {
  let links: TwoLinks;
  let server: Server;
  let port: number;
  const open: Socket[] = [];
  beforeAll(async () => {
    links = makeTwoLinks();
    server = await inNamespace(links.client, () => createServer({ host: '::', allowHalfOpen: true }));
    port = (server.address() as AddressInfo).port;
    return () => server.close();
  });
  afterEach(() => {
    for (const socket of open.splice(0)) socket.destroy();
  });

  /** A socket of user nobody that is connected to the server, with its own and the other end's address. */
  async function strangerTo(host: string, mptcp: boolean) {
    const accepting = once(server, 'connection') as Promise<[Socket]>;
    const stranger = await asNobody(links.client, () => connect({ host, port, mptcp }));
    const [accepted] = await accepting;
    open.push(stranger, accepted);
    const from = { address: stranger.localAddress ?? '', port: stranger.localPort ?? 0 };
    return { stranger, accepted, from, to: { address: host, port } };
  }

  test.each([
    ['127.0.0.1', false],
    ['::1', false],
    ['10.77.1.1', false],
    ['127.0.0.1', true],
  ] as const)('to %s is told, by root and by others (MPTCP: %s)', async (host, mptcp) => {
    const { from, to } = await strangerTo(host, mptcp);
    const namespace = links.client;
    expect(socketOwnerUid(from, to, { namespace })).toBe(NOBODY);
    if (!host.includes(':')) {
      // So Node tells the addresses of a server on `::`.
      const mapped = { address: `::ffff:${from.address}`, port: from.port };
      expect(socketOwnerUid(mapped, to, { namespace })).toBe(NOBODY);
    }
    // The server's own end belongs to this test.
    expect(socketOwnerUid(to, from, { namespace })).toBe(0);
    expect(asNobody(namespace, () => socketOwnerUid(from, to))).toBe(NOBODY);
    expect(socketOwnerUid({ ...from, port: from.port ^ 1 }, to, { namespace })).toBeUndefined();
    expect(socketOwnerUid(from, to, { namespace: links.server })).toBeUndefined();
    if (mptcp) expect(diag({ namespace }).find(({ local }) => local.port === from.port)?.uid).toBe(NOBODY);
  });

  test.each([false, true])(
    'is never root when nobody holds the connection any more (MPTCP: %s)',
    async mptcp => {
      const { stranger, accepted, from, to } = await strangerTo('127.0.0.1', mptcp);
      const reader = DiagReader.open({ namespace: links.client });
      expect(reader.ownerUid(from, to)).toBe(NOBODY);
      const ended = once(accepted, 'end');
      accepted.resume();
      stranger.destroy();
      await ended;
      // The server has not closed its end: the kernel keeps the stranger's one, which no program holds. A subflow still
      // remembers whose it was; the kernel tells any other socket as user 0.
      expect(reader.ownerUid(from, to)).toBe(mptcp ? NOBODY : undefined);
      expect(reader.ownerUid(to, from)).toBe(0);
      reader.close();
    },
  );

  test('is not told for a listener', () => {
    const listener = { address: '127.0.0.1', port };
    const namespace = links.client;
    expect(socketOwnerUid(listener, { address: '127.0.0.1', port: 1 }, { namespace })).toBeUndefined();
    expect(socketOwnerUid(listener, { address: '0.0.0.0', port: 0 }, { namespace })).toBeUndefined();
  });
});

describeLab('what a kernel does not have', () => {
  test('is told as unsupported', () => {
    expect(() => new GenericNetlink('no_such_family')).toThrow(
      expect.objectContaining({
        code: 'MPTCP_NETLINK_UNSUPPORTED',
        hint: expect.stringMatching(/CONFIG_MPTCP/),
      }),
    );
  });
});
