import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@manypath/core';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { pathsLimits } from '../src/index.ts';
import { parseHosts, parseInterfaceDomains } from '../src/names/name-files.ts';
import { PathResolver } from '../src/names/path-resolver.ts';

const folder = mkdtempSync(join(tmpdir(), 'manypath-own-names-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A resolver on a machine whose files the test writes; the system's resolver knows what `known` says. */
function machine(known: Readonly<Record<string, string>> = {}) {
  const clock = new SimulatedClock();
  const asked: string[] = [];
  const resolver = new PathResolver({
    outlooks: () => [],
    clock,
    places: {
      resolvConf: join(folder, 'resolv.conf'),
      hosts: join(folder, 'hosts'),
      domains: [join(folder, 'netif')],
      ofInterface: () => [],
    },
    systemLookup: async host => {
      asked.push(host);
      const address = known[host];
      if (address === undefined) throw Object.assign(new Error('unknown'), { code: 'ENOTFOUND' });
      return [{ address, family: address.includes(':') ? 6 : 4 }];
    },
  });
  const lookup = async (host: string, family: 0 | 4 | 6 = 0) => {
    const found = await resolver.lookup(host, { family, signal: new AbortController().signal });
    return found.map(({ address }) => address);
  };
  return { clock, resolver, lookup, asked };
}

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

beforeEach(() => {
  mkdirSync(join(folder, 'netif'), { recursive: true });
  for (const name of ['hosts', 'resolv.conf', 'netif/7']) write(name, '');
});

describe('the hosts file', () => {
  it('may get a few names by hand while somebody runs who was told what it had', async () => {
    write('hosts', '127.0.0.1 old.test\n203.0.113.1 moved.test\n');
    const { clock, resolver } = machine();
    expect(await resolver.hasChangedInHosts('old.test')).toBe(false);
    await resolver.noteHosts();
    write('hosts', '127.0.0.1 old.test\n127.0.0.1 moved.test\n127.0.0.1 New.test\n');
    clock.advance(pathsLimits.nameFilesMs);
    expect(await resolver.hasChangedInHosts('old.test')).toBe(false);
    expect(await resolver.hasChangedInHosts('moved.test')).toBe(true);
    expect(await resolver.hasChangedInHosts('NEW.test.')).toBe(true);
    expect(await resolver.hasChangedInHosts('none.test')).toBe(false);
    const list = Array.from({ length: pathsLimits.hostsChanged }, (_, at) => `127.0.0.1 ad${at}.example\n`);
    write('hosts', `127.0.0.1 old.test\n127.0.0.1 new.test\n${list.join('')}`);
    clock.advance(pathsLimits.nameFilesMs);
    expect(await resolver.hasChangedInHosts('new.test')).toBe(false);
    expect(await resolver.hasChangedInHosts('ad1.example')).toBe(false);
  });

  it('goes before all servers: names with a dot, aliases, both families, any case', async () => {
    write(
      'hosts',
      '127.0.0.1 myapp.test alias.test # mine\n::1 MyApp.Test\nfe80::1%eth0 zone.test\nnonsense x.y\n',
    );
    const { resolver, lookup, asked } = machine({ 'myapp.test': '203.0.113.1' });
    expect(await lookup('MYAPP.test.')).toEqual(['127.0.0.1', '::1']);
    expect(await lookup('myapp.test', 6)).toEqual(['::1']);
    expect(await lookup('alias.test')).toEqual(['127.0.0.1']);
    expect(await resolver.ownAddresses('myapp.test')).toEqual(['127.0.0.1', '::1']);
    expect(await resolver.isInHosts('alias.test')).toBe(true);
    expect(await resolver.isInHosts('x.y')).toBe(false);
    expect(asked).toEqual([]);
  });

  it('may have megabytes, which are not read again while they stay the same', async () => {
    const blocked = Array.from({ length: 100_000 }, (_, number) => `0.0.0.0 advertisement-${number}.example`);
    write('hosts', [...blocked, '127.0.0.1 myapp.test'].join('\n'));
    const { clock, lookup } = machine();
    expect(await lookup('myapp.test')).toEqual(['127.0.0.1']);
    expect(await lookup('advertisement-99999.example')).toEqual(['0.0.0.0']);
    clock.advance(pathsLimits.nameFilesMs);
    expect(await lookup('myapp.test')).toEqual(['127.0.0.1']);
  });

  it('leaves what it does not have to the servers', async () => {
    write('hosts', '127.0.0.1 myapp.test\n');
    const { lookup, resolver } = machine({ 'other.test': '203.0.113.1', 'myapp.test': '2001:db8::1' });
    expect(await lookup('other.test')).toEqual(['203.0.113.1']);
    expect(await lookup('myapp.test', 6)).toEqual(['2001:db8::1']);
    expect(await resolver.ownAddresses('other.test')).toEqual([]);
  });

  it('counts as it is now, a moment after it was changed', async () => {
    const { clock, lookup } = machine({ 'myapp.test': '203.0.113.1' });
    expect(await lookup('myapp.test')).toEqual(['203.0.113.1']);
    write('hosts', '10.0.0.7 myapp.test\n');
    clock.advance(pathsLimits.nameFilesMs);
    expect(await lookup('myapp.test')).toEqual(['10.0.0.7']);
    write('hosts', '10.0.0.8 myapp.test\n');
    clock.advance(pathsLimits.nameFilesMs);
    expect(await lookup('myapp.test')).toEqual(['10.0.0.8']);
  });

  it('is read at once again for a name whose address is not to be reached any more', async () => {
    write('hosts', '10.0.0.7 relay.test\n');
    const { resolver, lookup } = machine();
    expect(await lookup('relay.test')).toEqual(['10.0.0.7']);
    write('hosts', '10.0.0.8 relay.test\n');
    resolver.forgetName('relay.test');
    expect(await lookup('relay.test')).toEqual(['10.0.0.8']);
  });
});

describe('names of the networks of this machine', () => {
  const known = {
    'wiki.corp.example': '10.8.0.5',
    'www.corp.example': '93.184.215.14',
    'other.example': '10.8.0.6',
  };

  it.each([
    ['resolv.conf', 'search corp.example home\n'],
    ['netif/7', 'LLMNR=yes\nDOMAINS=~corp.example ~.\n'],
    ['netif/7', 'ROUTE_DOMAINS=corp.example\n'],
  ])('are asked of its own servers first, as %s says: %s', async (file, text) => {
    write(file, text);
    const { resolver } = machine(known);
    expect(await resolver.ownAddresses('wiki.corp.example')).toEqual(['10.8.0.5']);
    // What is public is public for the relay as well.
    expect(await resolver.ownAddresses('www.corp.example')).toEqual([]);
    expect(await resolver.ownAddresses('gone.corp.example')).toEqual([]);
    expect(await resolver.ownAddresses('other.example')).toEqual([]);
    expect(await resolver.ownAddresses('evilcorp.example')).toEqual([]);
  });

  it('are none where nothing names a domain', async () => {
    const { resolver, asked } = machine(known);
    expect(await resolver.ownAddresses('wiki.corp.example')).toEqual([]);
    expect(asked).toEqual([]);
  });
});

it('reads what is no file of hosts without complaint', () => {
  expect([...parseHosts('\0\0\n###\n1.2.3\n1.2.3.4\n  \t1.2.3.4\ta.b\tc.d#x\n')]).toEqual([
    ['a.b', ['1.2.3.4']],
    ['c.d', ['1.2.3.4']],
  ]);
  expect(parseInterfaceDomains('DOMAINS=\nDOMAINS=~.\nX=y\n')).toEqual([]);
});
