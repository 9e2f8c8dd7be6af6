import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { installHelper, relayUnit, relayUnitName, systemPlaces, uninstall } from '../../src/install/index.ts';
import { installRelay } from '../../src/install/install-relay.ts';
import { isOnPath } from '../../src/system-packages.ts';

const isRoot = process.getuid?.() === 0;
const command = ['/usr/bin/true', 'relay', '--listen', '[::]:443', '--public', 'vps.example.org'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-relay-unit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function analyze(what: string, ...parameters: string[]) {
  return spawnSync('systemd-analyze', [what, ...parameters], { encoding: 'utf8' });
}

describe('the unit of the relay', () => {
  const text = relayUnit({
    command,
    more: [],
    port: 443,
    credentials: [],
    version: '1.2.3',
    drainSeconds: 5,
  });

  it('has no more rights than it needs', () => {
    expect(text).toContain('CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_BIND_SERVICE\n');
    const high = relayUnit({
      command,
      more: [],
      port: 8443,
      credentials: [],
      version: '1.2.3',
      drainSeconds: 5,
    });
    expect(high).toContain('CapabilityBoundingSet=CAP_NET_ADMIN\n');
    expect(text).toContain('DynamicUser=yes');
  });

  it('writes no secret to the journal', () => {
    expect(text).toContain('StandardOutput=null');
  });

  it.skipIf(!isOnPath('systemd-analyze'))('is one that systemd takes, and finds well protected', () => {
    const credentials = [{ name: 'cert', file: '/etc/a certificate.pem' }];
    const more = ['--cert', '%d/cert'];
    const file = join(folder, relayUnitName);
    writeFileSync(
      file,
      relayUnit({ command, more, port: 443, credentials, version: '1.2.3', drainSeconds: 5 }),
    );
    const verified = analyze('verify', '--man=no', file);
    expect(verified.stderr).not.toMatch(new RegExp(`${relayUnitName}:`));
    const judged = analyze('security', '--offline=true', '--threshold=30', '--no-pager', file);
    expect(judged.stdout + judged.stderr).toMatch(/exposure level/);
    expect(judged.status).toBe(0);
  });
});

describe.skipIf(!isRoot)('a relay that is installed (needs root)', () => {
  // The whole program is copied.
  vi.setConfig({ testTimeout: 120_000 });
  const certificate = { cert: '/etc/tls/cert.pem', key: '/etc/tls/key.pem' };

  function places() {
    const root = join(folder, 'root');
    mkdirSync(root, { recursive: true, mode: 0o755 });
    return systemPlaces(root);
  }

  it('is run with what was asked for, its certificate by way of systemd, and goes without a trace', () => {
    const at = places();
    const options = ['--listen', '443', '--public', 'vps.example.org'];
    const installed = installRelay({
      places: at,
      options,
      port: 443,
      certificate,
      drainSeconds: 120,
      dryRun: false,
    });
    const unit = readFileSync(join(at.systemUnitDir, relayUnitName), 'utf8');
    expect(unit).toMatch(
      /ExecStart=\S+ \S+main\.js relay --listen 443 --public vps\.example\.org --state \/var\/lib\/manypath-relay --cert %d\/cert --key %d\/key\n/,
    );
    // systemd kills what takes longer.
    expect(unit).toContain('\nTimeoutStopSec=135\n');
    expect(unit).toContain('LoadCredential=cert:/etc/tls/cert.pem\nLoadCredential=key:/etc/tls/key.pem\n');
    expect(installed.service.state).toBe('written');
    uninstall({ places: at, kind: 'relay', dryRun: false });
    expect(readdirSync(at.root)).toEqual([]);
  });

  it('shares its copy of the program with the helper: the last one that goes takes it along', () => {
    const at = places();
    const { program } = installRelay({
      places: at,
      options: [],
      port: 8443,
      certificate: undefined,
      drainSeconds: 5,
      dryRun: false,
    });
    installHelper({ places: at, users: [1000], dryRun: false });
    uninstall({ places: at, kind: 'relay', dryRun: false });
    if (program.copy !== null) expect(readdirSync(program.copy)).toContain('dist');
    uninstall({ places: at, kind: 'helper', dryRun: false });
    expect(readdirSync(at.root)).toEqual([]);
  });
});
