import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withoutServices } from '../src/held-services.ts';

/** What invoke-rc.d(8) takes for no. */
const forbidden = 101;

describe('services of packages that are installed for tests', () => {
  let folder = '';
  let policy = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-services-'));
    policy = join(folder, 'policy-rc.d');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const ask = () => spawnSync(policy, ['squid', 'start']).status;

  it('are not started meanwhile, and as ever afterwards', () => {
    expect(withoutServices(ask, policy)).toBe(forbidden);
    expect(existsSync(policy)).toBe(false);
    const failing = () =>
      withoutServices(() => {
        throw new Error('no such package');
      }, policy);
    expect(failing).toThrow('no such package');
    expect(existsSync(policy)).toBe(false);
  });

  it('are left to a policy that is already there', () => {
    writeFileSync(policy, '#!/bin/sh\nexit 104\n', { mode: 0o755 });
    expect(withoutServices(ask, policy)).toBe(104);
    expect(readFileSync(policy, 'utf8')).toContain('104');
  });

  it('are started again when who installed was killed', () => {
    const module = new URL('../dist/held-services.js', import.meta.url).href;
    const script = `import { withoutServices } from '${module}';
      withoutServices(() => process.kill(process.pid, 'SIGKILL'), ${JSON.stringify(policy)});`;
    spawnSync(process.execPath, ['--input-type=module', '-e', script]);
    expect(existsSync(policy)).toBe(true);
    expect(ask()).toBe(0);
    expect(existsSync(policy)).toBe(false);
  });
});
