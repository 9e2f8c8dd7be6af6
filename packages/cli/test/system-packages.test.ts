import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isOnPath } from '../src/system-packages.ts';

const module = fileURLToPath(new URL('../dist/system-packages.js', import.meta.url));
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot || !isOnPath('script'))('a missing program (needs root and script)', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-packages-'));
    // Stands for Debian's: nothing but this folder is on the PATH, so that the program is missing.
    const aptGet = `#!/bin/sh\necho "$@" >> ${folder}/asked\nprintf '#!/bin/sh\\n' > ${folder}/nghttp\n/bin/chmod 755 ${folder}/nghttp\n`;
    writeFileSync(join(folder, 'apt-get'), aptGet);
    chmodSync(join(folder, 'apt-get'), 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const installs = () => existsSync(join(folder, 'asked'));
  const env = (more: NodeJS.ProcessEnv) => {
    const { CI: _, ...rest } = process.env;
    return { ...rest, PATH: folder, SHELL: '/bin/sh', ...more };
  };
  const source = `import(${JSON.stringify(module)}).then(m => m.requirePrograms(["nghttp"])).then(() => console.log("there"), e => console.log(e.code))`;

  /** Runs it in a terminal. */
  function inTerminal(answer: string, more: NodeJS.ProcessEnv = {}): string {
    const command = `${process.execPath} -e '${source}'`;
    const { stdout } = spawnSync('/usr/bin/script', ['-qec', command, '/dev/null'], {
      input: answer,
      encoding: 'utf8',
      env: env(more),
    });
    return stdout;
  }

  it('is not installed before somebody at the terminal has said yes', () => {
    const said = inTerminal('n\n');
    expect(said).toContain('Install nghttp2-client with apt-get?');
    expect(said).toContain('MANYPATH_PROGRAMS_MISSING');
    expect(installs()).toBe(false);
    expect(inTerminal('y\n')).toContain('there');
    expect(installs()).toBe(true);
  });

  for (const more of [{ MANYPATH_YES: '1' }, { CI: 'true' }]) {
    it(`is installed without a question with ${Object.keys(more)} set, and that is said`, () => {
      const said = inTerminal('', more);
      expect(said).not.toContain('[Y]es');
      expect(said).toContain('installing nghttp2-client');
      expect(installs()).toBe(true);
    });
  }

  it('is installed without a terminal, and that is said', () => {
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', source], {
      encoding: 'utf8',
      env: env({}),
    });
    expect(stdout).toContain('there');
    expect(stderr).toContain('installing nghttp2-client');
    expect(installs()).toBe(true);
  });

  it('is not started at every boot when its package would do that', () => {
    const systemctl = `#!/bin/sh\necho "$@" > ${folder}/services\n`;
    writeFileSync(join(folder, 'systemctl'), systemctl, { mode: 0o755 });
    writeFileSync(
      join(folder, 'apt-get'),
      `#!/bin/sh\necho '#!/bin/sh' > ${folder}/tinyproxy\n/bin/chmod 755 ${folder}/tinyproxy\n`,
    );
    const proxy = source.replace('nghttp', 'tinyproxy');
    const { stdout } = spawnSync(process.execPath, ['-e', proxy], { encoding: 'utf8', env: env({}) });
    expect(stdout).toBe('there\n');
    expect(readFileSync(join(folder, 'services'), 'utf8')).toBe('disable tinyproxy\n');
  });
});
