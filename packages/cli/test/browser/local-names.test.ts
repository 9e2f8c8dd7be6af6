import { createSocket, type Socket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import {
  bypassForHost,
  bypassForQuietNamespace,
  isLocalAddress,
  LocalNames,
} from '../../src/browser/local-destinations.ts';
import { LocalNameResponder, type LookupAll } from '../../src/browser/local-name-responder.ts';
import { parseResolverFile } from '../../src/browser/resolver-file.ts';

describe('local names', () => {
  it('are names without a dot, the domains for local use, and what the host and the user add', () => {
    const names = new LocalNames(
      ['nas.example.com', '*.Home.example.'],
      ['corp.example', 'com', '.', 'bad domain'],
    );
    const local = ['printer', 'printer.local', 'a.b.lan', 'x.home.arpa', 'db.internal', 'app.localhost'];
    const added = ['nas.example.com', 'tv.home.example', 'wiki.corp.example'];
    for (const name of [...local, ...added]) expect([name, names.includes(name)]).toEqual([name, true]);
    const others = [
      '',
      'example.com',
      'other.example.com',
      'home.example',
      'mylocal.com',
      'local.com',
      'xcorp.example',
    ];
    for (const name of others) expect([name, names.includes(name)]).toEqual([name, false]);
  });

  it('of the user must be names', () => {
    for (const pattern of [
      '',
      '*',
      '*.',
      'a b',
      'a;b',
      'a,b',
      '<-loopback>',
      'a..b',
      '*.*.b',
      'http://x',
      '10.0.0.0/8',
    ]) {
      expect(() => new LocalNames([pattern])).toThrow(
        expect.objectContaining({ code: 'MANYPATH_LOCAL_NAME_INVALID' }),
      );
    }
  });

  it('and local addresses make up the bypass lists', () => {
    const names = new LocalNames(['nas.example.com']);
    expect(bypassForQuietNamespace(names).split(';')).toEqual(
      expect.arrayContaining([
        '<local>',
        '*.local',
        'nas.example.com',
        '10.0.0.0/8',
        '0.0.0.0/8',
        '::/127',
        'fc00::/7',
      ]),
    );
    const onHost = bypassForHost(names, ['192.168.1.5/24']).split(';');
    expect(onHost).toEqual(
      expect.arrayContaining(['<local>', '*.local', 'nas.example.com', '192.168.1.5/24']),
    );
    expect(onHost).not.toContain('10.0.0.0/8');
  });

  it('are told from public addresses', () => {
    const local = [
      '127.0.0.1',
      '10.1.2.3',
      '172.31.0.1',
      '192.168.0.1',
      '169.254.1.1',
      '100.64.0.1',
      '::1',
      'fd00::1',
      'fe80::1',
    ];
    for (const address of local) expect([address, isLocalAddress(address)]).toEqual([address, true]);
    for (const address of ['192.0.2.2', '8.8.8.8', '172.32.0.1', '2001:db8::1', 'name']) {
      expect([address, isLocalAddress(address)]).toEqual([address, false]);
    }
  });
});

describe('resolv.conf', () => {
  it('gives name servers and the search domains that count', () => {
    const text =
      '# a comment\nnameserver 127.0.0.53\nnameserver\t2001:db8::53\ndomain old.example\nsearch a.example b.example\noptions edns0\n';
    expect(parseResolverFile(text)).toEqual({
      nameServers: ['127.0.0.53', '2001:db8::53'],
      searchDomains: ['a.example', 'b.example'],
    });
    expect(parseResolverFile('search a.example\ndomain b.example\n').searchDomains).toEqual(['b.example']);
    expect(parseResolverFile('search .\n').searchDomains).toEqual([]);
  });
});

describe('the name server of the quiet namespace', () => {
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.close();
  });

  /** A real stub resolver that asks a responder over loopback. */
  const resolverFor = async (lookup: LookupAll, concurrentLookups = 64): Promise<Resolver> => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    sockets.push(socket);
    await once(socket, 'listening');
    const responder = new LocalNameResponder({
      names: new LocalNames(),
      lookup,
      limits: { concurrentLookups },
    });
    responder.serve(socket);
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers([`127.0.0.1:${socket.address().port}`]);
    return resolver;
  };
  const both: LookupAll = async () => [
    { address: '10.0.0.7', family: 4 },
    { address: 'fd00::7', family: 6 },
    { address: 'fe80::7%eth0', family: 6 },
  ];

  it('answers for a local name with the addresses of the asked family, without those that have a zone', async () => {
    const resolver = await resolverFor(both);
    expect(await resolver.resolve4('printer.lan', { ttl: true })).toEqual([{ address: '10.0.0.7', ttl: 5 }]);
    expect(await resolver.resolve6('printer.lan')).toEqual(['fd00::7']);
    await expect(resolver.resolveTxt('printer.lan')).rejects.toMatchObject({ code: 'ENODATA' });
  });

  it('refuses a public name without looking it up', async () => {
    const asked: string[] = [];
    const resolver = await resolverFor(async name => {
      asked.push(name);
      return [];
    });
    await expect(resolver.resolve4('example.com')).rejects.toMatchObject({ code: 'EREFUSED' });
    expect(asked).toEqual([]);
  });

  it('tells a name that does not exist from a resolver that fails', async () => {
    const failing =
      (code: string): LookupAll =>
      () =>
        Promise.reject(Object.assign(new Error(code), { code }));
    const none = await resolverFor(failing('ENOTFOUND'));
    await expect(none.resolve4('none.lan')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    const broken = await resolverFor(failing('EAI_AGAIN'));
    await expect(broken.resolve4('none.lan')).rejects.toMatchObject({ code: 'ESERVFAIL' });
  });

  it('looks a name up once for both families', async () => {
    let lookups = 0;
    const { promise, resolve } = deferred<void>();
    const lookup: LookupAll = async name => {
      lookups += 1;
      await promise;
      return both(name);
    };
    const responder = new LocalNameResponder({ names: new LocalNames(), lookup });
    const answers = [responder.respond(query('nas.lan', 1)), responder.respond(query('nas.lan', 28))];
    resolve();
    const [v4, v6] = await Promise.all(answers);
    expect(v4?.subarray(-4)).toEqual(Uint8Array.of(10, 0, 0, 7));
    expect(v6?.subarray(-16, -14)).toEqual(Uint8Array.of(0xfd, 0));
    expect(lookups).toBe(1);
  });

  it('leaves queries beyond its limit unanswered, and answers again when there is room', async () => {
    const { promise, resolve } = deferred<void>();
    const resolver = await resolverFor(name => promise.then(() => both(name)), 1);
    const first = resolver.resolve4('one.lan');
    await expect(resolver.resolve4('two.lan')).rejects.toMatchObject({ code: 'ETIMEOUT' });
    resolve();
    await first.catch(() => {});
    expect(await resolver.resolve4('two.lan')).toEqual(['10.0.0.7']);
  });

  it('says nothing to garbage', async () => {
    const responder = new LocalNameResponder({ names: new LocalNames(), lookup: both });
    expect(await responder.respond(Uint8Array.of(1, 2, 3))).toBe(undefined);
    expect((await responder.respond(new Uint8Array(12)))?.length).toBe(12);
  });
});

/** A query on the wire. */
function query(name: string, type: number): Uint8Array {
  const labels = name.split('.').flatMap(label => [label.length, ...Buffer.from(label)]);
  return Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1);
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>(onResolve => {
    resolve = onResolve;
  });
  return { promise, resolve };
}
