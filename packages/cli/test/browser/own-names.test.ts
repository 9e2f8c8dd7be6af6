import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { browserLimits } from '../../src/browser/limits.ts';
import { LocalNames } from '../../src/browser/local-destinations.ts';
import { readOwnNames } from '../../src/browser/own-names.ts';

const folder = mkdtempSync(join(tmpdir(), 'manypath-own-names-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const places = {
  resolvConf: join(folder, 'resolv.conf'),
  hosts: join(folder, 'hosts'),
  domains: [join(folder, 'netif'), join(folder, 'nothing')],
  ofInterface: () => [],
};

it('has the browser resolve names that the hosts file gives local addresses, and domains of its networks', () => {
  mkdirSync(join(folder, 'netif'));
  writeFileSync(join(folder, 'netif', '3'), 'DOMAINS=~corp.example\n');
  const blocked = Array.from({ length: 5000 }, (_, number) => `0.0.0.0 ads${number}.example`);
  const lines = [
    '127.0.0.1 localhost myapp.test',
    '::1 six.test',
    '10.1.2.3 nas.test',
    '203.0.113.7 public.test',
  ];
  writeFileSync(places.hosts, [...blocked, ...lines].join('\n'));
  const own = readOwnNames(places);
  expect(own).toEqual({ hosts: ['myapp.test', 'six.test', 'nas.test'], domains: ['corp.example'] });
  const names = new LocalNames([], own.domains, own.hosts);
  for (const name of ['myapp.test', 'nas.test', 'wiki.corp.example']) expect(names.includes(name)).toBe(true);
  for (const name of ['public.test', 'ads1.example', 'x.myapp.test'])
    expect(names.includes(name)).toBe(false);
});

it('takes no more names than it may, and none where there is no file', () => {
  const many = Array.from({ length: 1000 }, (_, number) => `127.0.0.1 a${number}.test`);
  writeFileSync(places.hosts, many.join('\n'));
  expect(readOwnNames(places).hosts).toHaveLength(browserLimits.hostsNames);
  expect(readOwnNames({ ...places, hosts: join(folder, 'none'), domains: [] })).toEqual({
    hosts: [],
    domains: [],
  });
});
