import type { ConnectionStatus, PathStatus, SubflowStatus } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { explainConnection, explainPage, hostOf } from '../src/explain-connections.ts';

const paths = [
  { name: 'wlan0', addresses: ['192.0.2.5', '2001:db8::5'] },
  { name: 'wwan0', addresses: ['198.51.100.5'] },
] as unknown as PathStatus[];

const subflow = (local: string) => ({ local }) as SubflowStatus;

function connection(about: Partial<ConnectionStatus>): ConnectionStatus {
  return {
    target: 'a.example:443',
    route: 'relay',
    mptcp: true,
    multipath: true,
    reason: '',
    subflows: [],
    ...about,
  } as ConnectionStatus;
}

describe('a connection', () => {
  it('over two paths is said to be so', () => {
    const subflows = [subflow('192.0.2.5:1'), subflow('198.51.100.5:2')];
    expect(explainConnection(connection({ subflows }), paths)).toEqual({
      manner: 'several',
      paths: ['wlan0', 'wwan0'],
      words: 'through the relay, over wlan0 and wwan0',
    });
  });

  it('over one path can be joined by others, two subflows on one path or not', () => {
    const subflows = [subflow('192.0.2.5:1'), subflow('[2001:db8::5]:2')];
    expect(explainConnection(connection({ subflows, route: 'mptcp' }), paths)).toMatchObject({
      manner: 'one',
      words: 'to the server itself, over wlan0; others can join',
    });
  });

  it('of plain TCP says why', () => {
    const plain = connection({
      route: 'tcp',
      mptcp: false,
      multipath: false,
      reason: 'The other side does not speak Multipath TCP.',
      subflows: [subflow('192.0.2.5:1')],
    });
    expect(explainConnection(plain, paths)).toMatchObject({
      manner: 'straight',
      words: 'plain TCP over wlan0. The other side does not speak Multipath TCP.',
    });
  });

  it('that fell back is told from one that never was multipath', () => {
    const fallen = connection({
      route: 'tcp',
      mptcp: false,
      multipath: false,
      reason: 'The connection fell back to TCP.',
    });
    expect(explainConnection(fallen, paths).manner).toBe('fell-back');
  });

  it('that is not there yet has no way', () => {
    expect(explainConnection(connection({ route: null, mptcp: false, multipath: false }), paths).manner).toBe(
      'dialling',
    );
  });
});

describe('a page', () => {
  it('is told of by its own connections only, alike ones in one line', () => {
    const subflows = [subflow('192.0.2.5:1'), subflow('198.51.100.5:2')];
    const { counts, lines } = explainPage(
      new Set(['a.example', '2001:db8::9']),
      [
        connection({ subflows }),
        connection({ subflows, target: '[2001:db8::9]:443' }),
        connection({ route: null, mptcp: false, multipath: false }),
        connection({ subflows, target: 'b.example:443' }),
      ],
      paths,
    );
    expect(counts).toEqual({ several: 2, one: 0, straight: 0, 'fell-back': 0, dialling: 1 });
    expect(lines).toEqual([
      '2 connections through the relay, over wlan0 and wwan0',
      '1 connection being connected',
    ]);
  });
});

it('reads hosts of places', () => {
  expect(['a.example:443', '[::1]:80', '192.0.2.1:1'].map(hostOf)).toEqual(['a.example', '::1', '192.0.2.1']);
});
