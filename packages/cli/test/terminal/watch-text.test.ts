import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StatusHistory, type StatusView } from '../../src/terminal/status-history.ts';
import { watchText } from '../../src/terminal/watch-text.ts';
import { connectionStatus, pathStatus, statusDocument } from '../support/status-documents.ts';

const end = (host: string) => ({
  local: `${host}:4000`,
  remote: '198.51.100.1:8443',
  rttMs: 23.4,
  bytesIn: 0,
  bytesOut: 0,
  retransmits: 0,
  congestionWindow: 10,
});

/** Some seconds of two paths, one of which has reached its cap, and a download that lives on both. */
function someSeconds(seconds = 60): StatusView {
  const history = new StatusHistory();
  let view: StatusView | undefined;
  for (let second = 0; second <= seconds; second += 0.5) {
    const bytes = second * 3_000_000;
    const subflows = [
      { ...end('192.0.2.10'), bytesIn: bytes, rttMs: 20 + (second % 7) },
      { ...end('[2001:db8::77]'), bytesIn: bytes / 2, rttMs: 61.5 },
    ];
    const usage = {
      todayBytes: 499e6,
      monthBytes: 2e9,
      dailyCapBytes: 500e6,
      monthlyCapBytes: 10e9,
      capReached: true,
    };
    view = history.add(
      statusDocument({
        paths: [
          pathStatus({ bytesIn: bytes * (1 + Math.sin(second / 3) / 10), bytesOut: bytes / 40 }),
          pathStatus({
            name: 'wwan0',
            kind: 'cellular',
            addresses: ['2001:db8::77'],
            tier: 'backup',
            usage,
            bytesIn: bytes / 2,
          }),
          pathStatus({
            name: 'eth0',
            kind: 'ethernet',
            addresses: [],
            carrier: false,
            health: 'dead',
            rttMs: null,
          }),
        ],
        connections: [
          connectionStatus({ id: 1, bytesIn: 1000, ageMs: 65_000 }),
          connectionStatus({
            id: 2,
            subflows,
            bytesIn: bytes * 1.5,
            target: 'a.very.long.name.of.a.server.in.some.cdn.example.org:443',
          }),
          connectionStatus({
            id: 3,
            mptcp: false,
            multipath: false,
            reason: 'the other side does not speak Multipath TCP',
            route: 'tcp',
          }),
          connectionStatus({
            id: 4,
            route: null,
            mptcp: false,
            multipath: false,
            reason: 'it is not open yet',
          }),
        ],
        totals: { connections: 4, opened: 12, failed: 1, bytesIn: bytes * 1.5, bytesOut: 12_345 },
      }),
      second * 1000,
    );
  }
  if (view === undefined) throw new Error('no view');
  return view;
}

describe('the history of a status', () => {
  it('makes rates of counters, and starts anew with an interface that was made anew', () => {
    const history = new StatusHistory();
    const at = (bytesIn: number, ms: number) =>
      history.add(statusDocument({ paths: [pathStatus({ bytesIn, bytesOut: bytesIn / 2 })] }), ms).paths[0];
    expect(at(1000, 0)).toMatchObject({ inRates: [], outRates: [] });
    expect(at(2000, 500)).toMatchObject({ inRates: [16_000], outRates: [8000] });
    expect(at(10, 1000)).toMatchObject({ inRates: [16_000, 0] });
    expect(at(1010, 2000)).toMatchObject({ inRates: [16_000, 0, 8000] });
  });

  it('tells the round trip of the subflow that carries most on a path, else what is known of the path', () => {
    const history = new StatusHistory();
    const slow = { ...end('192.0.2.10'), rttMs: 90 };
    const fast = { ...end('192.0.2.10'), local: '192.0.2.10:4001', rttMs: 15 };
    const at = (subflows: (typeof slow)[], ms: number) =>
      history.add(
        statusDocument({ paths: [pathStatus()], connections: [connectionStatus({ subflows })] }),
        ms,
      );
    expect(at([], 0).paths[0]?.rttsMs).toEqual([12.5]);
    at([slow, fast], 500);
    expect(
      at(
        [
          { ...slow, bytesIn: 10 },
          { ...fast, bytesIn: 1000 },
        ],
        1000,
      ).paths[0]?.rttsMs.at(-1),
    ).toBe(15);
    expect(
      at(
        [
          { ...slow, bytesIn: 5000 },
          { ...fast, bytesIn: 1000 },
        ],
        1500,
      ).paths[0]?.rttsMs.at(-1),
    ).toBe(90);
  });

  it('puts the connections that carry most first', () => {
    expect(someSeconds().connections.map(({ connection }) => connection.id)).toEqual([2, 4, 3, 1]);
    expect(someSeconds().connections[0]?.inRate).toBeCloseTo(36e6);
  });
});

describe('the live view', () => {
  for (const columns of [60, 80, 120]) {
    it(`fits ${columns} columns and says all that matters`, () => {
      const lines = watchText(someSeconds(), { columns, rows: 24 });
      const text = lines.join('\n');
      expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(columns);
      for (const word of [
        'wlan0',
        'wwan0',
        'no carrier',
        '12.0 Mbit/s',
        '62 ms',
        '36.0 Mbit/s',
        'a.very',
        'relay.example',
      ]) {
        expect(text).toContain(word);
      }
      if (process.env.SHOW) console.log(text);
      expect(text).toContain('499 MB of 500 MB today');
      expect(text).toContain('its cap is reached, so it is backup now');
      expect(lines.find(line => line.startsWith('wlan0'))).toMatch(/[▁▂▃▄▅▆▇█]{4}/);
    });
  }

  it('shows as many connections as there is room for, and says how many more there are', () => {
    const lines = watchText(someSeconds(), { columns: 80, rows: 14 });
    expect(lines).toHaveLength(14);
    expect(lines.at(-1)).toMatch(/^… and \d more$/);
    expect(watchText(someSeconds(), { columns: 80, rows: undefined }).join('\n')).not.toContain('more');
  });

  it('shows a gateway without paths, relay and connections', () => {
    const multipath = { reason: 'no-path', paths: [], text: 'No way out.', command: null } as const;
    const view = new StatusHistory().add(statusDocument({ relay: null, multipath }), 0);
    expect(watchText(view, { columns: 80, rows: 24 })).toEqual([
      'No way out.',
      '',
      'No path: no interface has an address and a gateway.',
      '',
      '0 connections open, 0 since the start; 0 B in, 0 B out',
    ]);
  });

  it('lets no name from outside steer the terminal', () => {
    const view = new StatusHistory().add(
      statusDocument({
        paths: [pathStatus({ healthReason: 'x\x1b[2J' })],
        connections: [connectionStatus({ target: '\x1b]0;x\x07\n\u009b:443' })],
      }),
      0,
    );
    expect(watchText(view, { columns: 80, rows: 24 }).join('')).not.toMatch(/\p{Cc}/u);
  });

  it('is never larger than it may be', () => {
    const view = someSeconds(5);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 250 }), fc.integer({ min: 1, max: 60 }), (columns, rows) => {
        const lines = watchText(view, { columns, rows });
        return lines.length <= rows && lines.every(line => [...line].length <= columns);
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
    );
  });
});
