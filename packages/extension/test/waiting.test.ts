import type { Overview } from '@manypath/core';
import { expect, it } from 'vitest';
import type { Choice } from '../src/choice.ts';
import { relayWords } from '../src/relay-words.ts';
import { statusLine } from '../src/status-line.ts';

const relay = {
  address: 'relay.example:8443',
  state: 'away',
  reason: 'no path out of this machine works at the moment',
  waiting: { connections: 3, forMs: 12_400 },
} as const;

const overview: Overview = {
  paths: [],
  carried: {},
  totals: { connections: 3, opened: 3, failed: 0, bytesIn: 0, bytesOut: 0 },
  multipath: { reason: 'no-path', paths: [], text: 'There is no path.', command: null },
  relay,
};

it('connections that wait for a network are told of, with how long they have', () => {
  const words = '3 connections wait for a network, for 12.4 s by now';
  expect(relayWords(relay)).toBe(`relay.example:8443: ${words}`);
  const choice: Choice = { multipath: true, whenGone: 'open', retry: true, bypass: [] };
  const notice = { manypath: 'host', protocol: 1, version: '1', gateway: 'ready', hello: null } as const;
  const line = statusLine(choice, { kind: 'notice', notice }, overview, undefined);
  expect(line).toBe(`${words}: nothing is lost.`);
});
