import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connect, createServer, info, inNamespace } from '../../src/index.ts';
import {
  type DiagConnection,
  type DiagFilter,
  DiagReader,
  diag,
  diffCounters,
  mibCounters,
  PathManager,
  type PathManagerEvent,
  socketOwnerUid,
} from '../../src/netlink/index.ts';
import {
  describeLab,
  eventThat,
  makeTwoLinks,
  run,
  type TwoLinks,
  useUserspacePathManager,
} from './support.ts';

/** An MPTCP connection between the namespaces, over which one byte has gone each way: so joins are possible. */
interface Pair {
  client: Socket;
  accepted: Socket;
  token: number;
  port: number;
}

let links: TwoLinks;
const open: { destroy?(): void; close?(): void }[] = [];

function keep<T extends Server | Socket>(one: T): T {
  open.push(one);
  return one;
}

afterEach(() => {
  for (const one of open.splice(0)) (one.destroy ?? one.close)?.call(one);
});

async function makePair(to = '10.77.1.2', host = '0.0.0.0'): Promise<Pair> {
  const server = keep(await inNamespace(links.server, () => createServer({ host })));
  const { port } = server.address() as AddressInfo;
  const accepting = once(server, 'connection') as Promise<[Socket]>;
  const client = keep(await inNamespace(links.client, () => connect({ host: to, port })));
  const [accepted] = await accepting;
  keep(accepted);
  client.write('x');
  await once(accepted, 'data');
  accepted.write('y');
  await once(client, 'data');
  return { client, accepted, token: info(client).token ?? 0, port };
}

/** What `diag` tells in a namespace of the connections over one port: those of tests before may still be closing. */
function diagOf(namespace: string, port: number, filter: DiagFilter = {}): DiagConnection[] {
  return diag({ ...filter, namespace }).filter(
    ({ local, remote }) => local.port === port || remote.port === port,
  );
}

function only(connections: DiagConnection[]): DiagConnection {
  expect(connections).toHaveLength(1);
  return connections[0] as DiagConnection;
}

const isType =
  <T extends PathManagerEvent['type']>(type: T, token: number) =>
  (event: PathManagerEvent): event is Extract<PathManagerEvent, { type: T }> =>
    event.type === type && 'token' in event && event.token === token;

describeLab('connections of a namespace', () => {
  beforeAll(() => {
    links = makeTwoLinks();
    useUserspacePathManager(links.client);
    const server = PathManager.open({ namespace: links.server });
    server.setLimits({ subflows: 8 });
    server.close();
  });

  describe('diag', () => {
    test('tells a connection with its one subflow, from both ends', async () => {
      const { client, token, port } = await makePair();
      const there = only(diagOf(links.client, port));
      const here = info(client);
      expect(there).toMatchObject({
        token,
        state: 'established',
        local: { address: '10.77.1.1', port: client.localPort },
        remote: { address: '10.77.1.2', port },
        uid: 0,
        info: { token, fallback: false, remoteKeyReceived: true, bytesSent: 1, bytesReceived: 1 },
      });
      expect(there.subflows).toHaveLength(1);
      expect(there.subflows[0]).toMatchObject({
        local: there.local,
        remote: there.remote,
        state: 'established',
        localId: 0,
        remoteId: 0,
        initial: true,
        join: false,
        backup: false,
        fullyEstablished: true,
        index: undefined,
        device: undefined,
        bytesSent: here.subflows[0]?.bytesSent,
      });
      expect(there.subflows[0]?.rttMs).toBeGreaterThan(0);
      const far = only(diagOf(links.server, port));
      expect(far).toMatchObject({ local: there.remote, remote: there.local });
    });

    test('agrees with ss', async () => {
      const { token, port } = await makePair();
      const text = run(`ip netns exec ${links.client} ss -tnaiMHO`);
      expect(text).toContain(`token:${token.toString(16)}`);
      const [first] = only(diagOf(links.client, port)).subflows;
      const line = text.split('\n').find(one => one.includes(`token:${token.toString(16)}`)) ?? '';
      expect(line).toContain(`${first?.local.address}:${first?.local.port} 10.77.1.2:${port} `);
      expect(text).toContain(`cwnd:${first?.congestionWindow} `);
      expect(text).toContain(`mss:${first?.segmentSize} `);
    });

    test('finds one connection by its token, and none by another', async () => {
      const first = await makePair();
      const second = await makePair();
      const namespace = links.client;
      expect(diag({ namespace }).length).toBeGreaterThanOrEqual(2);
      expect(only(diag({ namespace, token: first.token })).local.port).toBe(first.client.localPort);
      expect(diag({ namespace, token: first.token, establishedOnly: true })).toHaveLength(1);
      expect(only(diag({ namespace, token: second.token })).subflows).toHaveLength(1);
      expect(only(diag({ namespace, token: second.token, subflows: false })).subflows).toEqual([]);
      const unused = [1, 2, 3].find(token => token !== first.token && token !== second.token) ?? 0;
      expect(diag({ namespace, token: unused })).toEqual([]);
    });

    test('tells listeners when asked', async () => {
      const { port } = await makePair('10.77.1.2', '10.77.1.2');
      const namespace = links.server;
      expect(diagOf(namespace, port).map(({ state }) => state)).toEqual(['established']);
      const all = diagOf(namespace, port, { listeners: true });
      expect(all.map(({ state }) => state).sort()).toEqual(['established', 'listen']);
      expect(all.find(({ state }) => state === 'listen')).toMatchObject({
        local: { address: '10.77.1.2', port },
        subflows: [],
      });
    });

    test('leaves out what is closing when only established connections are wanted', async () => {
      const { client, accepted, port } = await makePair();
      const namespace = links.client;
      client.end();
      await once(accepted, 'end');
      expect(diagOf(namespace, port).map(({ state }) => state)).toEqual([expect.stringMatching(/wait/)]);
      expect(diagOf(namespace, port, { establishedOnly: true })).toEqual([]);
    });

    test('tells IPv6 connections, and IPv4 ones of IPv6 sockets, by their addresses', async () => {
      const { port } = await makePair('fd77:1::2', '::');
      expect(only(diagOf(links.client, port)).remote.address).toBe('fd77:1::2');
      expect(only(diagOf(links.server, port)).local.address).toBe('fd77:1::2');
      const mapped = await makePair('10.77.1.2', '::');
      const connection = only(
        diag({ namespace: links.server, establishedOnly: true, token: info(mapped.accepted).token ?? 0 }),
      );
      expect(connection.local.address).toBe('10.77.1.2');
      expect(connection.subflows[0]?.local.address).toBe('10.77.1.2');
    });

    test('tells the device a subflow is bound to', async () => {
      const server = keep(await inNamespace(links.server, () => createServer({ host: '0.0.0.0' })));
      const { port } = server.address() as AddressInfo;
      const client = keep(
        await inNamespace(links.client, () => connect({ host: '10.77.2.2', port, device: 'b0' })),
      );
      const found = diag({ namespace: links.client }).find(({ local }) => local.port === client.localPort);
      expect(found?.subflows[0]).toMatchObject({ device: 'b0' });
    });
  });

  describe('the userspace path manager', () => {
    test('creates a subflow, makes it backup and back, and closes it', async () => {
      const manager = PathManager.open({ namespace: links.client });
      const reader = DiagReader.open({ namespace: links.client });
      const aborter = new AbortController();
      const events = manager.events(aborter.signal);
      const { token, port, client } = await makePair();
      const established = await eventThat(events, isType('established', token));
      expect(established).toEqual({
        type: 'established',
        token,
        local: { address: '10.77.1.1', port: client.localPort },
        remote: { address: '10.77.1.2', port },
        serverSide: false,
        denyJoinId0: false,
      });

      manager.subflowCreate(token, {
        local: { address: '10.77.2.1', id: 5, device: 'b0' },
        remote: { address: '10.77.2.2', port: 1 },
      });
      const failed = await eventThat(
        events,
        (event): event is Extract<PathManagerEvent, { type: 'subflow-established' | 'subflow-closed' }> =>
          event.type === 'subflow-established' || event.type === 'subflow-closed',
      );
      expect(failed).toMatchObject({ type: 'subflow-closed', localId: 5, error: 'ECONNREFUSED' });

      manager.subflowCreate(token, {
        local: { address: '10.77.2.1', id: 5, device: 'b0' },
        remote: { address: '10.77.2.2', port },
      });
      const joined = await eventThat(events, isType('subflow-established', token));
      expect(joined).toMatchObject({
        local: { address: '10.77.2.1' },
        remote: { address: '10.77.2.2', port },
        localId: 5,
        backup: false,
        error: undefined,
      });
      expect(joined.index).toBeGreaterThan(0);
      const subflows = () => only(reader.connections({ token })).subflows;
      expect(subflows()).toHaveLength(2);
      expect(subflows()[1]).toMatchObject({
        local: joined.local,
        remote: joined.remote,
        localId: 5,
        join: true,
        joinedByUs: true,
        initial: false,
        backup: false,
        device: 'b0',
        index: joined.index,
      });
      const far = (): DiagConnection | undefined => diagOf(links.server, port)[0];
      expect(far()?.subflows.find(({ join }) => join)).toMatchObject({ joinedByUs: false, backup: false });
      expect(subflows()[1]?.remoteToken).toBe(far()?.token);
      expect(subflows()[0]?.remoteToken).toBeUndefined();

      manager.setSubflowFlags(token, { local: joined.local, remote: joined.remote, backup: true });
      expect(subflows()[1]).toMatchObject({ backup: true, backupLocal: true });
      await expect.poll(() => far()?.subflows.find(({ join }) => join)?.backupRemote).toBe(true);
      manager.setSubflowFlags(token, {
        local: { address: '10.77.2.1' },
        remote: { address: '10.77.2.2' },
        backup: false,
      });
      expect(subflows()[1]).toMatchObject({ backup: false });
      await expect.poll(() => far()?.subflows.find(({ join }) => join)?.backup).toBe(false);

      manager.subflowDestroy(token, { local: joined.local, remote: joined.remote });
      expect(await eventThat(events, isType('subflow-closed', token))).toMatchObject({
        local: joined.local,
        remote: joined.remote,
        localId: 5,
      });
      // Its last packets may still be on their way.
      await expect.poll(() => subflows().map(({ join }) => join)).toEqual([false]);

      client.destroy();
      await eventThat(events, isType('closed', token));
      aborter.abort();
      expect(await events.next()).toEqual({ value: undefined, done: true });
      reader.close();
      manager.close();
    });

    test('starts a subflow as backup', async () => {
      const manager = PathManager.open({ namespace: links.client });
      const { token, port } = await makePair();
      manager.subflowCreate(token, {
        local: { address: '10.77.2.1', device: 'b0' },
        remote: { address: '10.77.2.2', port },
        backup: true,
      });
      const second = () => only(diag({ namespace: links.client, token })).subflows[1];
      await expect.poll(() => second()?.fullyEstablished).toBe(true);
      expect(second()).toMatchObject({ backup: true, join: true });
      manager.close();
    });

    test('tells and withdraws addresses', async () => {
      const manager = PathManager.open({ namespace: links.client });
      const other = PathManager.open({ namespace: links.server });
      const aborter = new AbortController();
      const events = other.events(aborter.signal);
      const { token, accepted } = await makePair();
      const farToken = info(accepted).token ?? 0;
      manager.announce(token, { address: '10.77.2.1', id: 11, port: 4443, device: 'b0' });
      expect(await eventThat(events, isType('announced', farToken))).toEqual({
        type: 'announced',
        token: farToken,
        remoteId: 11,
        address: '10.77.2.1',
        port: 4443,
      });
      manager.remove(token, 11);
      expect(await eventThat(events, isType('removed', farToken))).toEqual({
        type: 'removed',
        token: farToken,
        remoteId: 11,
      });
      aborter.abort();
      manager.close();
      other.close();
    });

    test('says what is wrong with a command', async () => {
      const manager = PathManager.open({ namespace: links.client });
      const { token, port } = await makePair();
      const spec = { local: { address: '10.77.2.1' }, remote: { address: '10.77.2.2', port } };
      expect(() => manager.subflowCreate(1, spec)).toThrow(
        expect.objectContaining({
          code: 'MPTCP_NETLINK_FAILED',
          errnoName: 'EINVAL',
          kernelMessage: 'invalid token',
        }),
      );
      expect(() =>
        manager.subflowDestroy(token, { local: { address: '10.77.2.1', port: 1 }, remote: spec.remote }),
      ).toThrow(expect.objectContaining({ code: 'MPTCP_NETLINK_FAILED', errnoName: 'ESRCH' }));
      manager.close();
      const kernelManaged = PathManager.open({ namespace: links.server });
      const [far] = diagOf(links.server, port);
      expect(() => kernelManaged.subflowCreate(far?.token ?? 0, spec)).toThrow(
        expect.objectContaining({ kernelMessage: 'userspace PM not selected' }),
      );
      kernelManaged.close();
    });
  });

  test('tells listeners as they come and go', async () => {
    const manager = PathManager.open({ namespace: links.server });
    const events = manager.events();
    const server = await inNamespace(links.server, () => createServer({ host: '10.77.2.2' }));
    const { port } = server.address() as AddressInfo;
    const local = { address: '10.77.2.2', port };
    expect(await events.next()).toEqual({ value: { type: 'listener-created', local }, done: false });
    server.close();
    expect(await eventThat(events, ({ type }) => type === 'listener-closed')).toEqual({
      type: 'listener-closed',
      local,
    });
    await events.return?.();
    manager.close();
  });

  test('counts what happens', async () => {
    const before = mibCounters({ namespace: links.server });
    expect(before).toHaveProperty('MPTcpExtMPCapableSYNRX');
    expect(before).toHaveProperty('TcpExtTCPOrigDataSent');
    await makePair();
    const change = diffCounters(before, mibCounters({ namespace: links.server }));
    expect(change).toMatchObject({ MPTcpExtMPCapableSYNRX: 1, MPTcpExtMPCapableACKRX: 1 });
    expect(change).not.toHaveProperty('MPTcpExtMPFailRx');
  });

  describe('the owner of a connection', () => {
    test('is found from either side, for MPTCP and for TCP', async () => {
      const { client, accepted } = await makePair();
      const local = { address: '10.77.1.1', port: client.localPort ?? 0 };
      const remote = { address: '10.77.1.2', port: client.remotePort ?? 0 };
      expect(socketOwnerUid(local, remote, { namespace: links.client })).toBe(0);
      expect(socketOwnerUid(remote, local, { namespace: links.server })).toBe(0);
      expect(socketOwnerUid(remote, local, { namespace: links.client })).toBeUndefined();
      client.destroy();
      await once(accepted, 'close');
      expect(socketOwnerUid(local, remote, { namespace: links.client })).toBeUndefined();
    });
  });
});
