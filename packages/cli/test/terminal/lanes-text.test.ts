import { expect, it } from 'vitest';
import { statusText } from '../../src/terminal/status-text.ts';
import { statusDocument } from '../support/status-documents.ts';

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
function laneText(multipath: boolean, hosts: readonly string[]): string | undefined {
  const lane = { state: 'ready' as const, mptcp: multipath, multipath, streams: 3 };
  const lanes = [{ ...lane, subflows: hosts.map(subflow) }];
  const relay = {
    address: 'relay.example:8443',
    state: 'ready' as const,
    reason: null,
    retryInMs: null,
    lanes,
  };
  const lines = statusText(statusDocument({ relay })).split('\n');
  return lines.find(line => line.includes('lane:'))?.trim();
}

it('says of a lane how many living paths it has, and of one without any nothing of paths', () => {
  expect(laneText(true, ['192.0.2.1', '192.0.2.2'])).toBe('lane: ready, 2 subflows, 3 streams');
  expect(laneText(false, ['192.0.2.1'])).toBe('lane: ready, one path, 3 streams');
  expect(laneText(false, [])).toBe('lane: ready, 3 streams');
});
