import { readFileSync, statSync, writeFileSync } from 'node:fs';
import type { PathStatus } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { pathsText } from '../src/terminal/paths-text.ts';
import { CommandFolder } from './support/command.ts';
import { pathStatus } from './support/status-documents.ts';

const read = (folder: CommandFolder) =>
  JSON.parse(readFileSync(folder.config, 'utf8')) as Record<string, unknown>;

describe('manypath paths set', () => {
  it('makes the configuration file, for its owner alone', () => {
    using folder = new CommandFolder();
    const { status, stdout } = folder.run('paths', 'set', 'wwan0', 'backup');
    expect(status).toBe(0);
    expect(stdout).toBe(`wwan0: backup.\nWritten to ${folder.config}\n`);
    expect(read(folder)).toEqual({ paths: { wwan0: 'backup' } });
    expect(statSync(folder.config).mode & 0o777).toBe(0o600);
  });

  it('changes what is named and leaves the rest, of the path and of the file', () => {
    using folder = new CommandFolder();
    folder.run('paths', 'set', 'wwan0', 'secondary', '--daily-cap', '500MB', '--monthly-cap', '1.5 GiB');
    writeFileSync(folder.config, JSON.stringify({ local: ['nas'], ...read(folder) }));
    const { stdout } = folder.run(
      ...[
        'paths',
        'set',
        'wwan0',
        'primary',
        '--daily-cap',
        'none',
        '--reset-day',
        '31',
        '--at-cap',
        'never',
        '--json',
      ],
    );
    const entry = { tier: 'primary', monthlyCap: '1.5 GiB', resetDay: 31, atCap: 'never' };
    expect(JSON.parse(stdout)).toEqual({ event: 'set', path: 'wwan0', ...entry, config: folder.config });
    folder.run('paths', 'set', 'kind:wifi', 'never');
    expect(read(folder)).toEqual({ local: ['nas'], paths: { wwan0: entry, 'kind:wifi': 'never' } });
  });

  it('writes to the file that is named', () => {
    using folder = new CommandFolder();
    const file = `${folder.path}/other.json`;
    expect(folder.run('paths', 'set', 'wwan0', 'never', '--config', file).status).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ paths: { wwan0: 'never' } });
    expect(() => read(folder)).toThrow('ENOENT');
  });

  it('teaches when something is wrong, and writes nothing', () => {
    using folder = new CommandFolder();
    const wrong: [parameters: string[], lesson: string][] = [
      [['wwan0', 'fast'], 'Allowed choices are primary, secondary, backup, never'],
      [['wwan0'], "missing required argument 'tier'"],
      [['wwan0', 'backup', '--daily-cap', '500'], 'like 500MB'],
      [['wwan0', 'backup', '--daily-cap', '5Mb'], 'like 500MB'],
      [['wwan0', 'backup', '--reset-day', '0'], '1 to 31'],
      [['wwan0', 'backup', '--reset-day', '1.5'], '1 to 31'],
      [['wwan0', 'backup', '--at-cap', 'primary'], 'Allowed choices are backup, never'],
      [['a b', 'backup'], 'the name of an interface'],
      [['kind:5g', 'backup'], 'kind:cellular'],
    ];
    for (const [parameters, lesson] of wrong) {
      const { status, stderr } = folder.run('paths', 'set', ...parameters);
      expect(status).not.toBe(0);
      expect(stderr).toContain(lesson);
    }
    expect(() => read(folder)).toThrow('ENOENT');
  });
});

describe.runIf(process.platform === 'linux')('manypath paths', () => {
  it('lists the paths of this host with what they may, when no gateway runs', () => {
    using folder = new CommandFolder();
    const { paths } = JSON.parse(folder.run('paths', '--json').stdout) as { paths: PathStatus[] };
    for (const { name } of paths) folder.run('paths', 'set', name, 'backup', '--monthly-cap', '3GB');
    const after = JSON.parse(folder.run('paths', '--json').stdout) as { paths: PathStatus[] };
    expect(after.paths.map(({ name }) => name)).toEqual(paths.map(({ name }) => name));
    for (const path of after.paths) {
      expect(path).toMatchObject({ tier: 'backup', usage: { monthlyCapBytes: 3e9, monthBytes: 0 } });
    }
    expect(folder.run('paths').stdout).toMatch(paths.length === 0 ? /^No path/ : /^PATH +KIND +TIER/);
  });

  it('asks the gateway that runs', async () => {
    using folder = new CommandFolder();
    const stop = await folder.up();
    try {
      const status = JSON.parse(folder.run('status', '--json').stdout) as { paths: PathStatus[] };
      const listed = JSON.parse(folder.run('paths', '--json').stdout) as { paths: PathStatus[] };
      expect(listed.paths.map(({ name, endpoint }) => [name, endpoint])).toEqual(
        status.paths.map(({ name, endpoint }) => [name, endpoint]),
      );
    } finally {
      await stop();
    }
  });

  it('names a configuration that is wrong', () => {
    using folder = new CommandFolder();
    folder.run('paths', 'set', 'wwan0', 'backup');
    writeFileSync(folder.config, '{"pahts":{}}');
    const { status, stderr } = folder.run('paths');
    expect(status).toBe(1);
    expect(stderr).toContain(`the configuration ${folder.config} is wrong at pahts: there is no such key`);
    expect(stderr).toContain('[MANYPATH_CONFIG_INVALID]');
    expect(stderr).toMatch(/try: \S*docs\/CONFIG\.md/);
  });
});

describe('the list of paths', () => {
  it('fits 80 columns and says why a path is not what it was set to', () => {
    const usage = {
      todayBytes: 499.7e6,
      monthBytes: 9.2e9,
      dailyCapBytes: 500e6,
      monthlyCapBytes: 100e9,
      capReached: true,
    };
    const text = pathsText([
      pathStatus(),
      pathStatus({ name: 'wwp0s20f0u6i12', kind: 'cellular', tier: 'backup', usage, network: null }),
      pathStatus({
        name: 'eth0',
        kind: 'ethernet',
        carrier: false,
        healthReason: 'the cable is out',
        rttMs: null,
        downMbps: null,
        upMbps: 3,
      }),
    ]);
    expect(Math.max(...text.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
    expect(text).toContain('54/9.1');
    expect(text).toContain('?/3.0');
    expect(text).toContain('500 MB of 500 MB today, 9.2 GB of 100 GB this month');
    expect(text).toContain('is backup now because its cap is reached');
    expect(text).toContain('eth0: the cable is out');
    expect(pathsText([])).toContain('No path');
  });
});
