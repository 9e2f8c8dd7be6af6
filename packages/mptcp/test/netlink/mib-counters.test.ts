import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffCounters, mibMeanings, parseNetstat } from '../../src/netlink/mib-counters.ts';
import { brief } from './bytes.ts';

const netstat = `TcpExt: SyncookiesSent TW TCPMinTTLDrop
TcpExt: 0 17 -1
IpExt: InNoRoutes InOctets
IpExt: 0 4711
MPTcpExt: MPCapableSYNRX MPCurrEstab
MPTcpExt: 12 3
`;

describe('the counters of the kernel', () => {
  test('are read by name, those of TCP and Multipath TCP', () => {
    expect(parseNetstat(netstat)).toEqual({
      TcpExtSyncookiesSent: 0,
      TcpExtTW: 17,
      TcpExtTCPMinTTLDrop: -1,
      MPTcpExtMPCapableSYNRX: 12,
      MPTcpExtMPCurrEstab: 3,
    });
  });

  test('are read as far as they go', () => {
    expect(parseNetstat('')).toEqual({});
    expect(parseNetstat('MPTcpExt: A B\nMPTcpExt: 1\n')).toEqual({ MPTcpExtA: 1 });
    expect(parseNetstat('MPTcpExt: A\nTcpExt: 1\n')).toEqual({});
    expect(parseNetstat('MPTcpExt: A B\nMPTcpExt: x 2\n')).toEqual({ MPTcpExtB: 2 });
  });

  test('never fail on any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), text => {
        const counters = parseNetstat(text.replaceAll('a', '\nMPTcpExt: '));
        for (const value of Object.values(counters)) expect(Number.isNaN(value)).toBe(false);
      }),
      brief,
    );
  });

  test('are compared, new ones too', () => {
    expect(diffCounters({ A: 1, B: 5, C: 9 }, { A: 1, B: 7, C: 4, D: 2 })).toEqual({ B: 2, C: -5, D: 2 });
  });

  test('have meanings that are parts of sentences', () => {
    for (const [name, meaning] of Object.entries(mibMeanings)) {
      expect(name).toMatch(/^MPTcpExt[A-Z]\w+$/);
      expect(meaning).toMatch(/^[a-zM][^.]+\w$/);
    }
  });
});
