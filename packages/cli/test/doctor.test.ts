import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PathStatus, parsePairing } from '@manypath/core';
import { type Path, smallPacketsReason } from '@manypath/paths';
import { type Relay, startRelay } from '@manypath/relay';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkConfig } from '../src/doctor/check-config.ts';
import { healthFinding, twinFindings } from '../src/doctor/check-paths.ts';
import { checkRelay } from '../src/doctor/check-relay.ts';
import { doctorText } from '../src/doctor/doctor-text.ts';
import { bad, good, note } from '../src/doctor/finding.ts';

const folder = mkdtempSync(join(tmpdir(), 'manypath-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('what the doctor says of a relay', () => {
  let relay: Relay;
  beforeAll(async () => {
    const publicHost = { host: '127.0.0.1', port: 0 };
    relay = await startRelay({ stateDir: join(folder, 'relay'), listen: publicHost, allowPrivate: true });
  });
  afterAll(() => relay.close());

  /** The finding over loopback, for a pairing with something in it changed. */
  async function over(change: (url: URL) => void) {
    const url = new URL(relay.pairing);
    url.host = `127.0.0.1:${relay.address.port}`;
    change(url);
    const [finding] = await checkRelay(parsePairing(url.href), ['lo']);
    return finding;
  }

  it('is good where the relay takes this pairing', async () => {
    expect(await over(() => {})).toMatchObject({ ok: true, cause: expect.stringContaining('Multipath TCP') });
  });

  it('is of an older release where it has no sessions, with what to do', async () => {
    const listen = { host: '127.0.0.1', port: 0 };
    const older = await startRelay({ stateDir: join(folder, 'older'), listen, sessions: false });
    try {
      const url = new URL(older.pairing);
      url.host = `127.0.0.1:${older.address.port}`;
      const [finding] = await checkRelay(parsePairing(url.href), ['lo']);
      expect(finding).toMatchObject({
        ok: true,
        cause: expect.stringContaining('older release'),
        fix: expect.stringContaining('on the server'),
      });
    } finally {
      await older.close();
    }
  });

  it('tells a wrong secret, another key, a wrong name and a closed port apart, each with what to do', async () => {
    const findings = [
      await over(url => {
        url.username = 'A'.repeat(url.username.length);
      }),
      await over(url => {
        url.searchParams.set('pin', 'A'.repeat(43));
      }),
      await over(url => {
        url.hostname = 'relay.invalid';
      }),
      await over(url => {
        url.port = '9';
      }),
    ];
    expect(findings.map(finding => finding?.ok)).toEqual([false, false, false, false]);
    expect(findings[0]).toMatchObject({
      cause: expect.stringContaining('secret'),
      fix: expect.stringContaining('pair again'),
    });
    expect(findings[1]).toMatchObject({
      cause: expect.stringContaining('somebody else'),
      fix: expect.stringContaining('in between'),
    });
    expect(findings[2]).toMatchObject({ cause: expect.stringContaining('name leads nowhere') });
    expect(findings[3]).toMatchObject({ fix: expect.stringContaining('start it on the server') });
    expect(new Set(findings.map(finding => finding?.fix)).size).toBe(4);
  });
});

describe('what the doctor says of paths', () => {
  const path = (name: string, ...addresses: string[]): Path => ({
    name,
    index: 1,
    kind: 'usb',
    network: name,
    metric: 100,
    addresses: addresses.map(address => ({ address, family: 4, prefixLength: 24, gateway: '192.168.8.1' })),
  });

  it('is which of them have the same address', () => {
    expect(twinFindings([path('a', '192.168.8.100'), path('b', '192.168.8.101')])).toEqual([]);
    const three = ['a', 'b', 'c'].map(name => path(name, '192.168.8.100', `10.0.0.${name.charCodeAt(0)}`));
    const [finding, ...others] = twinFindings([...three, path('d', '192.0.2.1')]);
    expect(finding).toMatchObject({ ok: true, cause: expect.stringContaining('a, b, c') });
    expect(finding?.cause).toContain('192.168.8.100');
    expect(others).toEqual([]);
  });

  it('is to send smaller packets where larger ones are lost', () => {
    const status = { name: 'a', health: 'degraded', healthReason: smallPacketsReason } as PathStatus;
    expect(healthFinding(path('a', '192.0.2.1'), status)).toMatchObject({
      ok: false,
      cause: expect.stringContaining('small packets'),
      fix: expect.stringContaining('mtu 1280'),
    });
    const lossy = { ...status, healthReason: 'much is lost on it, or comes late' };
    expect(healthFinding(path('a', '192.0.2.1'), lossy).fix).not.toContain('mtu');
  });
});

describe('what the doctor says of the configuration', () => {
  const place = (text: string) => {
    const file = join(folder, 'config.json');
    writeFileSync(file, text);
    return { file, named: false };
  };

  it('is the key that is wrong, and good where nothing is', () => {
    expect(checkConfig(place('{"pahts":{}}'))).toMatchObject([
      { ok: false, cause: expect.stringContaining('pahts') },
    ]);
    expect(checkConfig(place('not JSON'))).toMatchObject([{ ok: false }]);
    expect(checkConfig(place('{}'))).toMatchObject([{ ok: true }]);
  });
});

describe('what the doctor prints', () => {
  it('has what is wrong last, and says how much that is', () => {
    const text = doctorText([
      bad('a', 'it is broken', 'mend it'),
      good('b', 'it works'),
      note('c', 'it is alone', 'add one'),
    ]);
    expect(text).toBe(
      '✓ it works\n• it is alone\n    → add one\n✗ it is broken\n    → mend it\n\n1 thing is wrong.\n',
    );
  });

  it('says where pages are on this machine', () => {
    expect(doctorText([bad('a', 'it is broken', 'docs/CONFIG.md tells')])).toMatch(
      /→ \/.*\/docs\/CONFIG\.md/s,
    );
  });

  it('does not say that all is well where something could be better', () => {
    expect(doctorText([note('c', 'it is alone', 'add one')])).toContain(
      'Nothing is wrong; 1 thing could be better.',
    );
    expect(doctorText([good('b', 'it works')])).toContain('Nothing stops Multipath TCP here.');
  });
});
