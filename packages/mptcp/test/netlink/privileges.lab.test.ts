import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { createServer, inNamespace } from '../../src/index.ts';
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
  beforeAll(async () => {
    links = makeTwoLinks();
    server = await inNamespace(links.client, () => createServer({ host: '::', mptcp: false }));
    port = (server.address() as AddressInfo).port;
    return () => server.close();
  });

  /** A program of user nobody connects to the server; `body` sees its address until it ends. */
  async function asStranger(
    host: string,
    script: string,
    body: (
      from: { address: string; port: number },
      to: { address: string; port: number },
    ) => Promise<void> | void,
  ): Promise<void> {
    const child = spawn(
      'ip',
      [
        'netns',
        'exec',
        links.client,
        'setpriv',
        '--reuid',
        String(NOBODY),
        '--clear-groups',
        process.execPath,
        '-e',
        script,
        host,
        String(port),
      ],
      { stdio: ['pipe', 'ignore', 'inherit'], cwd: '/' },
    );
    const exit = once(child, 'exit');
    try {
      const [accepted] = await once(server, 'connection');
      accepted.on('error', () => {});
      const plain = (address: string): string => address.replace(/^::ffff:(?=\d)/, '');
      await body(
        { address: plain(accepted.remoteAddress), port: accepted.remotePort },
        { address: plain(accepted.localAddress), port: accepted.localPort },
      );
      accepted.destroy();
    } finally {
      child.kill();
      await exit;
    }
  }

  const connects =
    'const s = require("net").connect(+process.argv[2], process.argv[1]); s.on("error", () => {});';

  test.each(['127.0.0.1', '::1', '10.77.1.1'])('to %s is told, by root and by others', async host => {
    await asStranger(host, connects, (from, to) => {
      const namespace = links.client;
      expect(socketOwnerUid(from, to, { namespace })).toBe(NOBODY);
      // The server's own end belongs to this test.
      expect(socketOwnerUid(to, from, { namespace })).toBe(0);
      expect(asNobody(namespace, () => socketOwnerUid(from, to))).toBe(NOBODY);
      expect(socketOwnerUid({ ...from, port: from.port ^ 1 }, to, { namespace })).toBeUndefined();
      expect(socketOwnerUid(from, to, { namespace: links.server })).toBeUndefined();
    });
  });

  test('is nobody at all for a listener, and never root for a connection whose program has closed it', async () => {
    const reader = DiagReader.open({ namespace: links.client });
    const listener = { address: '127.0.0.1', port };
    expect(reader.ownerUid(listener, { address: '127.0.0.1', port: 1 })).toBeUndefined();
    // The program ends its side and goes; the kernel keeps the socket, which belongs to no program any more.
    const ends = `${connects} s.on("connect", () => { s.end("bye"); setTimeout(() => process.exit(), 50); });`;
    await asStranger('127.0.0.1', ends, async (from, to) => {
      expect([NOBODY, undefined]).toContain(reader.ownerUid(from, to));
      await expect.poll(() => reader.ownerUid(from, to)).toBeUndefined();
    });
    reader.close();
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
