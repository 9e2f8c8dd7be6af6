import type { LaneProtocol } from '@manypath/core';
import { expect, it } from 'vitest';
import { statusText } from '../../src/terminal/status-text.ts';
import { connectionStatus, relayStatus, statusDocument } from '../support/status-documents.ts';

const subflow = (host: string) => ({
  local: `${host}:4000`,
  remote: '198.51.100.1:8443',
  rttMs: 20,
  bytesIn: 0,
  bytesOut: 0,
  retransmits: 0,
  congestionWindow: 10,
});

/** What the text of a status says of one lane. */
function laneText(
  multipath: boolean,
  hosts: readonly string[],
  protocol: LaneProtocol = 'manypath/1',
): string | undefined {
  const lane = { state: 'ready' as const, protocol, mptcp: multipath, multipath, streams: 3 };
  const lanes = [{ ...lane, subflows: hosts.map(subflow) }];
  const lines = statusText(statusDocument({ relay: relayStatus({ lanes }) })).split('\n');
  return lines.find(line => line.includes('lane:'))?.trim();
}

it('says of a lane how many living paths it has, and of one without any nothing of paths', () => {
  expect(laneText(true, ['192.0.2.1', '192.0.2.2'])).toBe('lane: ready, 2 subflows, 3 streams');
  expect(laneText(false, ['192.0.2.1'])).toBe('lane: ready, one path, 3 streams');
  expect(laneText(false, [])).toBe('lane: ready, 3 streams');
});

it('says which lanes speak something older, that break with their connection', () => {
  expect(laneText(false, [], 'h2')).toBe('lane: ready, 3 streams, HTTP/2');
  expect(laneText(false, [], 'http/1.1')).toBe('lane: ready, 3 streams, HTTP/1.1');
});

it('says that connections wait for a network, for how long, and how many went on after such waits', () => {
  const relay = relayStatus({ state: 'away', waiting: { connections: 3, forMs: 12_400 }, resumed: 7 });
  const text = statusText(statusDocument({ relay, connections: [connectionStatus({ state: 'waiting' })] }));
  expect(text).toContain('  3 connections wait for a network, for 12.4 s');
  expect(text).toContain('  7 connections went on after an outage');
  expect(text).toContain('waits for a network');
});
