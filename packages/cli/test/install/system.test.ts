import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  copyProgram,
  type HelperInstallation,
  type Installation,
  type InstallOptions,
} from '../../src/install/index.ts';

const isRoot = process.getuid?.() === 0;
const program = 'usr/local/lib/manypath/program';
const unit = 'etc/systemd/system/manypath-helper.service';

/** Below it others than root may change things. */
const unsafe = tmpdir();
/** Only root may. */
const safe = '/run';

// Each installs for real, the whole program.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** An installed program, in a folder of its own. */
class Installed implements Disposable {
  readonly folder: string;
  readonly program: string;

  /** @param owner Number of the user that it belongs to. */
  constructor(where: string, owner: number) {
    this.folder = mkdtempSync(join(where, 'manypath-system-'));
    chmodSync(this.folder, 0o755);
    this.program = join(this.folder, 'program');
    copyProgram(this.program);
    if (owner !== 0) execFileSync('chown', ['-R', String(owner), this.program]);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let installed: Installed;
beforeAll(() => {
  installed = new Installed(unsafe, 65_534);
});
afterAll(() => installed[Symbol.dispose]());

/** An installed program, and the folders of a machine of its own to install into. */
class Machine implements Disposable {
  readonly #folder: string;
  readonly root: string;
  readonly program: string;

  constructor(program = installed.program) {
    this.program = program;
    this.#folder = mkdtempSync(join(tmpdir(), 'manypath-system-'));
    this.root = join(this.#folder, 'root');
    mkdirSync(this.root, { mode: 0o755 });
  }

  install(options: Partial<InstallOptions> = {}, node?: string): Installation {
    return this.#call('install', { ...forAll, ...options }, node) as Installation;
  }

  installHelper(options: { users: number[]; dryRun?: boolean }): HelperInstallation {
    return this.#call('installHelper', { dryRun: false, ...options }) as HelperInstallation;
  }

  uninstall(kind: 'browsers' | 'helper'): void {
    this.#call('uninstall', { kind, dryRun: false });
  }

  /** Calls a function of the installed program, with a umask that hides everything from others. */
  #call(name: string, options: object, node: string = process.execPath): unknown {
    const script = `
      import { ${name}, systemPlaces } from ${JSON.stringify(join(this.program, 'dist/install/index.js'))};
      process.umask(0o077);
      try {
        const options = ${JSON.stringify(options)};
        console.log(JSON.stringify({ done: ${name}({ ...options, places: systemPlaces(${JSON.stringify(this.root)}) }) }));
      } catch ({ code, message }) {
        console.log(JSON.stringify({ failed: { code, message } }));
      }`;
    const result = JSON.parse(
      execFileSync(node, ['--input-type=module', '-e', script], { encoding: 'utf8' }),
    ) as { done: unknown; failed?: object };
    if (result.failed !== undefined) throw Object.assign(new Error(), result.failed);
    return result.done;
  }

  content(): string[] {
    return readdirSync(this.root, { recursive: true, encoding: 'utf8' }).sort();
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const forAll = { browser: 'all', service: true, dryRun: false } as const;

describe.runIf(isRoot)('manypath install --system', () => {
  it('has browsers of all users start a copy that only root can change, whatever the umask, and uninstall leaves nothing', () => {
    using here = new Machine();
    const installation = here.install();
    const copy = join(here.root, program);
    expect(installation.copy?.folder).toBe(copy);
    expect(installation.extension).toBe(join(copy, 'node_modules/@manypath/extension/dist'));
    expect(existsSync(join(installation.extension, 'manifest.json'))).toBe(true);
    for (const folder of ['chromium', 'opt/chrome', 'opt/edge']) {
      const file = `etc/${folder}/native-messaging-hosts/org.manypath.host.json`;
      expect(JSON.parse(here.read(file))).toMatchObject({
        path: join(here.root, 'usr/local/lib/manypath/manypath-native-host'),
      });
      expect(statSync(join(here.root, file)).mode & 0o777).toBe(0o644);
    }
    expect(here.read('usr/local/lib/manypath/manypath-native-host')).toContain(
      `'${copy}/dist/native-host/main.js'`,
    );
    expect(here.read('etc/systemd/user/manypath.service')).toContain(`${copy}/dist/main.js up\n`);
    for (const path of here.content().map(name => join(here.root, name))) {
      const { mode, uid, isDirectory } = withKind(path);
      expect({
        path,
        uid,
        write: mode & 0o022,
        read: mode & 0o004,
        enter: isDirectory ? mode & 0o001 : 1,
      }).toEqual({
        path,
        uid: 0,
        write: 0,
        read: 0o004,
        enter: 1,
      });
    }
    here.uninstall('browsers');
    expect(here.content()).toEqual([]);
  });

  it('copies a program that runs by itself, with everything that its commands need', () => {
    using here = new Machine();
    here.install();
    const started = spawnSync(join(here.root, program, 'bin', 'manypath'), ['doctor', '--json'], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: here.root },
    });
    expect(JSON.parse(started.stdout)).toMatchObject({ checks: expect.any(Array) });
    for (const file of [
      'docs/CONFIG.md',
      'LICENSE',
      'node_modules/@manypath/page/dist/manypath-page.js',
      'node_modules/@manypath/page/example/index.html',
      'node_modules/@manypath/lab/dist/origin-main.js',
    ]) {
      expect([file, existsSync(join(here.root, program, file))]).toEqual([file, true]);
    }
    expect(existsSync(join(here.root, program, 'node_modules/vitest'))).toBe(false);
  });

  it('leaves a program where it is that only root can change', () => {
    using inSafe = new Installed(safe, 0);
    // The one that runs this may lie where others can change it.
    const node = join(inSafe.folder, 'node');
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    using here = new Machine(inSafe.program);
    const installation = here.install({}, node);
    expect(installation.copy).toBeNull();
    expect(here.read('usr/local/lib/manypath/manypath-native-host')).toContain(
      `'${here.program}/dist/native-host/main.js'`,
    );
    expect(here.content()).not.toContain(program);
    chmodSync(join(here.program, 'dist/native-host/main.js'), 0o664);
    expect(here.install({}, node).copy).toMatchObject({
      reason: `others than root can change ${here.program}/dist/native-host/main.js`,
    });
  });

  it('copies a Node that others can change as well, and has the copy run by it', () => {
    using here = new Machine();
    const node = join(tmpdir(), `manypath-node-${process.pid}`);
    copyFileSync(process.execPath, node);
    chownSync(node, 65_534, 65_534);
    try {
      here.install({}, node);
    } finally {
      rmSync(node);
    }
    const copied = join(here.root, program, 'bin/node');
    expect([statSync(copied).uid, statSync(copied).mode & 0o777]).toEqual([0, 0o755]);
    expect(here.read('etc/systemd/user/manypath.service')).toContain(`ExecStart=${copied} `);
    expect(
      execFileSync(join(here.root, program, 'bin/manypath'), ['--version'], { encoding: 'utf8' }),
    ).toMatch(/^\d+\.\d+/);
  });

  it('puts nothing for root where somebody else can change it', () => {
    using here = new Machine();
    const folder = join(here.root, 'usr');
    mkdirSync(folder, { mode: 0o755 });
    chownSync(folder, 65_534, 0);
    expect(() => here.install()).toThrow(
      expect.objectContaining({ code: 'MANYPATH_INSTALL_UNSAFE', message: expect.stringContaining(folder) }),
    );
    chownSync(folder, 0, 0);
    chmodSync(folder, 0o775);
    expect(() => here.install()).toThrow(expect.objectContaining({ code: 'MANYPATH_INSTALL_UNSAFE' }));
    expect(here.content()).toEqual(['usr']);
  });
});

describe.runIf(isRoot)('manypath install --helper', () => {
  it('serves those it was installed for, one after the other, from a copy that only root can change', () => {
    using here = new Machine();
    here.installHelper({ users: [1001] });
    const { users, command } = here.installHelper({ users: [1000] });
    expect(users).toEqual([1000, 1001]);
    expect(command).toEqual(
      expect.arrayContaining([join(here.root, program, 'dist/main.js'), 'helper', '--user', '1000']),
    );
    expect(here.read(unit)).toContain(
      `${program}/dist/main.js helper --user 1000 --user 1001 --state /var/lib/manypath-helper\n`,
    );
    here.uninstall('helper');
    expect(here.content()).toEqual([]);
  });

  it('needs somebody to serve', () => {
    using here = new Machine();
    expect(() => here.installHelper({ users: [] })).toThrow(
      expect.objectContaining({ code: 'MANYPATH_INSTALL_USERS' }),
    );
    expect(here.content()).toEqual([]);
  });

  it('only looks with --dry-run, and leaves a unit that is not its own', () => {
    using here = new Machine();
    here.installHelper({ users: [1000], dryRun: true });
    expect(here.content()).toEqual([]);
    mkdirSync(join(here.root, 'etc/systemd/system'), { recursive: true });
    writeFileSync(join(here.root, unit), '[Service]\n');
    expect(() => here.installHelper({ users: [1000] })).toThrow(
      expect.objectContaining({ code: 'MANYPATH_INSTALL_FOREIGN_FILE' }),
    );
    expect(here.read(unit)).toBe('[Service]\n');
  });

  it('keeps the copy for the browsers of all users when it goes, and the other way round', () => {
    using here = new Machine();
    for (const [first, second] of [['helper', 'browsers'] as const, ['browsers', 'helper'] as const]) {
      here.installHelper({ users: [1000] });
      here.install();
      here.uninstall(first);
      expect(existsSync(join(here.root, program, 'dist/main.js'))).toBe(true);
      here.uninstall(second);
      expect(here.content()).toEqual([]);
    }
  });

  it('writes units that systemd understands', context => {
    if (spawnSync('systemd-analyze', ['--version']).error) context.skip('systemd-analyze is not installed');
    using here = new Machine();
    here.installHelper({ users: [1000] });
    const units = [unit, unit.replace('.service', '.socket')].map(file => join(here.root, file));
    expect(execFileSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' })).toBe('');
  });
});

function withKind(path: string) {
  const stats = statSync(path);
  return { mode: stats.mode, uid: stats.uid, isDirectory: stats.isDirectory() };
}
