import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  type ConnectOptions,
  connect,
  createServer,
  fdOf,
  getSocketOption,
  info,
  inNamespace,
  listenerInfo,
  originalDestination,
  type ServerOptions,
  setSocketOption,
} from '../src/index.ts';
import { CLONE_NEWNET } from '../src/kernel/constants.ts';
import { libc } from '../src/kernel/libc.ts';
import type { MptcpReport } from '../src/kernel/read-mptcp.ts';
import { TestNamespace } from './support/namespace.ts';
import { needsLab } from './support/requirements.ts';
import { closeServer, openSockets, portOf, textOf } from './support/sockets.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

function namespace(): TestNamespace {
  const made = new TestNamespace();
  cleanup.push(() => made[Symbol.dispose]());
  return made;
}

async function serveIn({ name }: TestNamespace, options: ServerOptions = {}): Promise<Server> {
  const server = await inNamespace(name, () => createServer({ host: '127.0.0.1', ...options }));
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  });
  cleanup.push(() => closeServer(server, ...sockets));
  return server;
}

async function dialIn({ name }: TestNamespace, options: ConnectOptions): Promise<Socket> {
  const socket = await inNamespace(name, () => connect(options));
  socket.on('error', () => {});
  cleanup.push(() => socket.destroy());
  return socket;
}

async function accepted(server: Server): Promise<Socket> {
  const [socket] = (await once(server, 'connection')) as [Socket];
  return socket;
}

describe('in a network namespace', () => {
  needsLab();

  test('connect and createServer make their sockets there, and the thread is home again', async () => {
    const ns = namespace();
    const home = readlinkSync('/proc/thread-self/ns/net');
    const server = await serveIn(ns);
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
    const socket = await dialIn(ns, { host: '127.0.0.1', port: portOf(server) });
    expect(info(socket).multipath).toBe(true);
    // The same address outside has nobody behind that port.
    await expect(connect({ host: '127.0.0.1', port: portOf(server) })).rejects.toMatchObject({
      systemCode: 'ECONNREFUSED',
    });
  });

  test('the thread is home again when the call throws, and calls can be nested', () => {
    const [outer, inner] = [namespace(), namespace()];
    const here = (): string => readlinkSync('/proc/thread-self/ns/net');
    const home = here();
    const seen = inNamespace(outer.name, () => {
      const place = here();
      expect(() =>
        inNamespace(`/run/netns/${inner.name}`, () => {
          expect([home, place]).not.toContain(here());
          throw new Error('inside');
        }),
      ).toThrow('inside');
      expect(here()).toBe(place);
      return place;
    });
    expect([here(), seen === home]).toEqual([home, false]);
    expect(inNamespace(process.pid, here)).toBe(home);
  });

  test('threads that read files and resolve names stay at home', async () => {
    const ns = namespace();
    await inNamespace(ns.name, () => readFile('/proc/self/stat'));
    const threads = readdirSync('/proc/self/task');
    const places = threads.map(thread => readlinkSync(`/proc/self/task/${thread}/ns/net`));
    expect(threads.length).toBeGreaterThan(4);
    expect(new Set(places).size).toBe(1);
  });

  test('a namespace that does not exist is a clear error, without descriptors left', () => {
    const before = openSockets();
    for (const place of ['mpsock-nowhere', '/run/netns/mpsock-nowhere', 0x3fff_ffff]) {
      expect(() => inNamespace(place, () => {})).toThrow(
        expect.objectContaining({ code: 'MPTCP_NAMESPACE_FAILED' }),
      );
    }
    expect(() => inNamespace('/proc/self/status', () => {})).toThrow(
      expect.objectContaining({ code: 'MPTCP_NAMESPACE_FAILED' }),
    );
    expect(() => inNamespace('', () => {})).toThrow(
      expect.objectContaining({ code: 'MPTCP_ARGUMENT_INVALID' }),
    );
    expect(openSockets()).toBe(before);
  });
});

describe('where Multipath TCP is switched off', () => {
  needsLab();

  test('connect and createServer are plain TCP, and say why', async () => {
    const ns = namespace();
    ns.run('sysctl', '-q', '-w', 'net.mptcp.enabled=0');
    const server = await serveIn(ns);
    expect(listenerInfo(server)).toEqual({ protocol: 'tcp', reason: 'switched-off' });
    const arriving = accepted(server);
    const socket = await dialIn(ns, { host: '127.0.0.1', port: portOf(server) });
    const expected = { protocol: 'tcp', multipath: false, reason: 'switched-off', subflowCount: 1 };
    expect(info(socket)).toMatchObject(expected);
    expect(info(await arriving)).toMatchObject(expected);
    (await arriving).end('works');
    expect(await textOf(socket)).toBe('works');
  });
});

/** A client and a server with two links between them, 10.71.x.0/24, and an endpoint on the second. */
function twoLinks() {
  const [client, server] = [namespace(), namespace()];
  for (const link of [1, 2]) {
    TestNamespace.link(client, server, `mp${link}`, `10.71.${link}.1/24`, `10.71.${link}.2/24`);
  }
  for (const side of [client, server]) side.run('ip', 'mptcp', 'limits', 'set', 'subflows', '8');
  client.run('ip', 'mptcp', 'endpoint', 'add', '10.71.2.1', 'dev', 'mp2', 'subflow');
  client.run('ip', 'rule', 'add', 'from', '10.71.2.1', 'table', '72');
  client.run('ip', 'route', 'add', 'default', 'via', '10.71.2.2', 'dev', 'mp2', 'table', '72');
  return { client, server };
}

/** Sends something both ways: only then the kernel lets more subflows join. */
async function exchange(a: Socket, b: Socket): Promise<void> {
  const arrivals = Promise.all([once(a, 'data'), once(b, 'data')]);
  a.write('ping');
  b.write('pong');
  await arrivals;
}

describe('over two links', () => {
  needsLab();

  test('info shows both subflows, and their bytes add up', async () => {
    const links = twoLinks();
    const server = await serveIn(links.server, { host: '0.0.0.0' });
    const arriving = accepted(server);
    const client = await dialIn(links.client, { host: '10.71.1.2', port: portOf(server) });
    const peer = await arriving;
    await exchange(client, peer);
    await expect.poll(() => info(client).subflowCount).toBe(2);
    const before = info(client);
    expect(before.subflows.map(({ local }) => local.address)).toEqual(['10.71.1.1', '10.71.2.1']);
    expect(new Set(before.subflows.map(({ id }) => id)).size).toBe(2);
    expect(info(peer).subflows.map(({ remote }) => remote.address)).toEqual(['10.71.1.1', '10.71.2.1']);

    peer.resume();
    client.write(Buffer.alloc(4_000_000));
    await expect.poll(() => info(client).bytesAcked).toBe(before.bytesAcked + 4_000_000);
    const after = info(client);
    const sum = after.subflows.reduce((total, one) => total + one.bytesSent - one.bytesRetransmitted, 0);
    expect(sum).toBeGreaterThanOrEqual(after.bytesSent);
    for (const subflow of after.subflows) expect(subflow.bytesSent).toBeGreaterThan(0);
  });

  test('the two ways of asking the kernel agree, also when there is too little room at first', async () => {
    const links = twoLinks();
    const server = await serveIn(links.server, { host: '0.0.0.0' });
    const arriving = accepted(server);
    const client = await dialIn(links.client, { host: '10.71.1.2', port: portOf(server) });
    await exchange(client, await arriving);
    await expect.poll(() => info(client).subflowCount).toBe(2);
    const ends = (report: MptcpReport | undefined) =>
      report?.subflows.map(({ local, remote, state }) => ({ local, remote, state }));
    // Fresh modules, whose memory for answers is not made yet.
    const reader = async () => {
      vi.resetModules();
      return import('../src/kernel/read-mptcp.ts');
    };
    const separate = ends((await reader()).readSeparately(libc(), fdOf(client), 1));
    const full = ends((await reader()).readFullInfo(libc(), fdOf(client), 1));
    expect(full).toHaveLength(2);
    expect(separate).toEqual(full);
  });

  test('options hold for subflows that joined', async () => {
    const links = twoLinks();
    const server = await serveIn(links.server, { host: '0.0.0.0' });
    const arriving = accepted(server);
    const client = await dialIn(links.client, { host: '10.71.1.2', port: portOf(server) });
    await exchange(client, await arriving);
    await expect.poll(() => info(client).subflowCount).toBe(2);
    setSocketOption(client, 'congestion', 'reno');
    expect(getSocketOption(client, 'congestion')).toBe('reno');
    const listed = links.client.run('ss', '-tniH', 'dst', '10.71.1.2');
    expect(listed.match(/\breno\b/g)).toHaveLength(2);
    setSocketOption(client, 'mark', 7);
    expect(getSocketOption(client, 'mark')).toBe(7);
  });

  test('a connection whose other side stops speaking Multipath TCP is told from one that never did', async () => {
    const links = twoLinks();
    const server = await serveIn(links.server, { host: '0.0.0.0' });
    const arriving = accepted(server);
    const client = await dialIn(links.client, { host: '10.71.1.2', port: portOf(server) });
    // Nobody asks before it happens: that it was multipath must have been noted by connect itself. Then
    // a middlebox takes the options away: the first data comes without a mapping.
    stripMptcp(links.client);
    const peer = await arriving;
    peer.resume();
    client.resume();
    client.write('without options');
    await expect.poll(() => info(client).reason, { timeout: 5000 }).toBe('fallback');
    expect(info(client)).toMatchObject({ protocol: 'mptcp', multipath: false, subflowCount: 1 });
    expect(info(client).subflows[0]?.remote.address).toBe('10.71.1.2');
    const late = await dialIn(links.client, { host: '10.71.1.2', port: portOf(server) });
    expect(info(late).reason).toBe('peer-refused');
  });
});

/** Takes the MPTCP option (kind 30) out of everything that leaves or enters `ns`. */
function stripMptcp(ns: TestNamespace): void {
  ns.run('nft', 'add table inet strip');
  for (const hook of ['output', 'input']) {
    ns.run('nft', `add chain inet strip ${hook} { type filter hook ${hook} priority -300 ; }`);
    ns.run('nft', `add rule inet strip ${hook} meta l4proto tcp reset tcp option mptcp`);
  }
}

describe('racing addresses of which one swallows everything', () => {
  needsLab();

  /** Drops what goes to `address`, without a word. */
  function swallow(ns: TestNamespace, address: string): void {
    ns.run('nft', 'add table inet hole');
    ns.run('nft', 'add chain inet hole output { type filter hook output priority 0 ; }');
    ns.run('nft', `add rule inet hole output ip daddr ${address} drop`);
  }

  /** Stays inside for all of `call`: later attempts of a race make their descriptors later. */
  async function within<T>(ns: TestNamespace, call: () => Promise<T>): Promise<T> {
    const [home, there] = ['/proc/thread-self/ns/net', `/run/netns/${ns.name}`].map(path =>
      openSync(path, 'r'),
    );
    if (home === undefined || there === undefined) throw new Error('no namespace');
    libc().setns(there, CLONE_NEWNET);
    try {
      return await call();
    } finally {
      libc().setns(home, CLONE_NEWNET);
      closeSync(home);
      closeSync(there);
    }
  }

  const lookup = async () => ['127.0.0.66', '127.0.0.1'].map(address => ({ address, family: 4 }));

  test('costs one attempt delay, and the loser is closed', async () => {
    const ns = namespace();
    swallow(ns, '127.0.0.66');
    const server = await serveIn(ns);
    const before = openSockets();
    const options = { host: 'two.test', port: portOf(server), lookup, attemptDelay: 120 };
    const started = performance.now();
    const socket = await within(ns, () => connect(options));
    const took = performance.now() - started;
    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(info(socket).multipath).toBe(true);
    expect(took).toBeGreaterThan(115);
    expect(took).toBeLessThan(2000);
    socket.destroy();
    await expect.poll(openSockets).toBe(before);
  });

  test('is over when the time is up, and nothing stays behind', async () => {
    const ns = namespace();
    swallow(ns, '127.0.0.66');
    const before = openSockets();
    const dialling = inNamespace(ns.name, () => connect({ host: '127.0.0.66', port: 80, timeout: 60 }));
    await expect(dialling).rejects.toMatchObject({ code: 'MPTCP_CONNECT_TIMEOUT', attempts: [] });
    await expect.poll(openSockets).toBe(before);
  });

  test('is over when the signal says so', async () => {
    const ns = namespace();
    swallow(ns, '127.0.0.66');
    const before = openSockets();
    const aborter = new AbortController();
    const options = { host: '127.0.0.66', port: 80, signal: aborter.signal };
    const dialling = inNamespace(ns.name, () => connect(options));
    setImmediate(() => aborter.abort());
    await expect(dialling).rejects.toMatchObject({ name: 'AbortError' });
    await expect.poll(openSockets).toBe(before);
  });
});

describe('bound to one of two links', () => {
  needsLab();

  test.each([
    [{ device: 'mp2' }, '10.71.2.1'],
    [{ localAddress: '10.71.2.1' }, '10.71.2.1'],
    [{ device: 'mp1' }, '10.71.1.1'],
  ])('%j connects leave from there', async (options, expected) => {
    const links = twoLinks();
    links.client.run('ip', 'route', 'add', 'default', 'dev', 'mp1');
    links.client.run('ip', 'route', 'add', 'default', 'dev', 'mp2', 'metric', '9');
    links.server.run('ip', 'addr', 'add', '10.73.0.1/32', 'dev', 'lo');
    const server = await serveIn(links.server, { host: '10.73.0.1' });
    const socket = await dialIn(links.client, { host: '10.73.0.1', port: portOf(server), ...options });
    expect(info(socket).subflows[0]?.local.address).toBe(expected);
  });
});

describe('the original destination of a redirected connection', () => {
  needsLab();

  function redirect(ns: TestNamespace, family: 'ip' | 'ip6', address: string, to: number): void {
    ns.run('nft', `add table ${family} away`);
    ns.run('nft', `add chain ${family} away output { type nat hook output priority -100 ; }`);
    ns.run(
      'nft',
      `add rule ${family} away output ${family} daddr ${address} tcp dport 80 redirect to :${to}`,
    );
  }

  test.each([
    ['ip', '10.99.0.1', '127.0.0.1'],
    ['ip', '10.99.0.1', '::'],
    ['ip6', 'fd99::1', '::1'],
    ['ip6', 'fd99::1', '::'],
  ] as const)('%s %s is known by a listener on %s', async (family, address, host) => {
    const ns = namespace();
    ns.run('ip', family === 'ip' ? '-4' : '-6', 'route', 'add', address, 'dev', 'lo');
    const server = await serveIn(ns, { host, mptcp: false });
    redirect(ns, family, address, portOf(server));
    const arriving = accepted(server);
    await dialIn(ns, { host: address, port: 80, mptcp: false });
    expect(originalDestination(await arriving)).toEqual({ address, port: 80 });
  });

  test('is nothing for a connection that nobody redirected', async () => {
    const ns = namespace();
    const server = await serveIn(ns, { mptcp: false });
    redirect(ns, 'ip', '10.99.0.1', portOf(server));
    const arriving = accepted(server);
    await dialIn(ns, { host: '127.0.0.1', port: portOf(server), mptcp: false });
    expect(originalDestination(await arriving)).toBeUndefined();
  });
});
