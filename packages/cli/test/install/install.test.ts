import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { serviceUnit } from '../../src/install/index.ts';
import { main } from '../support/command.ts';

/** A home of its own, and a `systemctl` that only notes what it was asked. */
class Home implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'manypath-install-'));
  readonly home = join(this.path, 'home');
  readonly #bin = join(this.path, 'bin');
  readonly #calls = join(this.path, 'calls');
  environment: NodeJS.ProcessEnv = {};

  constructor({ systemctl = 'exit 0' } = {}) {
    mkdirSync(this.home);
    mkdirSync(this.#bin);
    const script = join(this.#bin, 'systemctl');
    writeFileSync(script, `#!/bin/sh\necho "$*" >>'${this.#calls}'\n${systemctl}\n`);
    chmodSync(script, 0o755);
  }

  run(...parameters: string[]) {
    return spawnSync(process.execPath, [main, ...parameters], {
      encoding: 'utf8',
      cwd: this.path,
      env: { HOME: this.home, PATH: `${this.#bin}:${process.env.PATH}`, ...this.environment },
    });
  }

  events(...parameters: string[]): Record<string, unknown>[] {
    const { stdout, stderr, status } = this.run(...parameters, '--json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>);
  }

  /** Everything in it, as paths below it. */
  content(): string[] {
    return readdirSync(this.home, { recursive: true, encoding: 'utf8' }).sort();
  }

  read(path: string): string {
    return readFileSync(join(this.home, path), 'utf8');
  }

  calls(): string[] {
    if (!existsSync(this.#calls)) return [];
    return readFileSync(this.#calls, 'utf8').trim().split('\n');
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

const manifest = 'NativeMessagingHosts/org.manypath.host.json';
const unit = '.config/systemd/user/manypath.service';
const wrapper = '.local/share/manypath/manypath-native-host';

describe('manypath install', () => {
  it('makes the host known to every browser, and uninstall leaves nothing', () => {
    using home = new Home();
    const events = home.events('install', '--browser', 'all', '--service');
    for (const folder of ['chromium', 'google-chrome', 'microsoft-edge', 'BraveSoftware/Brave-Browser']) {
      expect(JSON.parse(home.read(`.config/${folder}/${manifest}`))).toEqual({
        name: 'org.manypath.host',
        description: expect.any(String),
        path: join(home.home, wrapper),
        type: 'stdio',
        allowed_origins: ['chrome-extension://fpceefpkbkmidmafhgoekijclnihghjb/'],
      });
    }
    expect(statSync(join(home.home, wrapper)).mode & 0o777).toBe(0o755);
    expect(events.filter(({ event }) => event === 'file')).toHaveLength(6);
    expect(events).toContainEqual({ event: 'service', state: 'started', reason: null });
    expect(home.calls()).toContain('--user enable --now manypath.service');
    const removed = home.events('uninstall');
    expect(removed.filter(({ event }) => event === 'removed')).toHaveLength(6);
    expect(home.content()).toEqual([]);
    expect(home.calls()).toContain('--user disable --now manypath.service');
    expect(home.run('uninstall').stdout).toBe('Nothing is installed.\n');
  });

  it('leaves what was there, and what others put into its folders', () => {
    using home = new Home();
    mkdirSync(join(home.home, '.config/chromium'), { recursive: true });
    writeFileSync(join(home.home, '.config/chromium/Local State'), '{}');
    home.events('install', '--browser', 'chromium', '--service');
    const foreign = join(home.home, '.config/chromium/NativeMessagingHosts/org.example.json');
    writeFileSync(foreign, '{}');
    home.events('uninstall');
    expect(home.content()).toEqual([
      '.config',
      '.config/chromium',
      '.config/chromium/Local State',
      '.config/chromium/NativeMessagingHosts',
      '.config/chromium/NativeMessagingHosts/org.example.json',
    ]);
  });

  it('may be repeated, also with other browsers: all of it is removed', () => {
    using home = new Home();
    home.events('install', '--browser', 'chromium', '--no-service');
    const again = home.events('install', '--browser', 'chromium', '--no-service');
    expect(again.filter(({ changed }) => changed === true)).toEqual([]);
    home.events('install', '--browser', 'edge', '--service', '--state', './of my own');
    expect(home.read(unit)).toContain(` up --state "${join(home.path, 'of my own')}"\n`);
    home.events('install', '--user-data-dir', './profile', '--no-service');
    expect(existsSync(join(home.path, 'profile', manifest))).toBe(true);
    home.events('uninstall');
    expect(home.content()).toEqual([]);
    expect(existsSync(join(home.path, 'profile'))).toBe(false);
  });

  it('removes the link that enabling the service made, when systemd no longer does', () => {
    using home = new Home();
    home.events('install', '--browser', 'chromium', '--service');
    const wants = join(home.home, '.config/systemd/user/default.target.wants');
    mkdirSync(wants);
    symlinkSync(join(home.home, unit), join(wants, 'manypath.service'));
    home.events('uninstall');
    expect(home.content()).toEqual([]);
  });

  it('only looks with --dry-run', () => {
    using home = new Home();
    expect(home.run('install', '--browser', 'all', '--service', '--dry-run').stdout).toContain('Would be');
    expect(home.content()).toEqual([]);
    home.events('install', '--browser', 'brave', '--no-service');
    const before = home.content();
    expect(home.run('uninstall', '--dry-run').stdout).toContain('Would be removed');
    expect(home.content()).toEqual(before);
    expect(home.calls()).toEqual([]);
  });

  it('takes the browsers whose folders are there, in every channel', () => {
    using home = new Home();
    home.environment = { CHROME_CONFIG_HOME: join(home.home, 'elsewhere') };
    mkdirSync(join(home.home, 'elsewhere/google-chrome-beta'), { recursive: true });
    home.events('install', '--no-service');
    const written = home.content().filter(path => path.endsWith('org.manypath.host.json'));
    expect(written).toContain(`elsewhere/google-chrome-beta/${manifest}`);
    expect(written).not.toContain(`elsewhere/microsoft-edge/${manifest}`);
  });

  it('follows the XDG base directories, and writes down the state folder that they mean', () => {
    using home = new Home();
    home.environment = {
      XDG_CONFIG_HOME: join(home.home, 'c'),
      XDG_DATA_HOME: join(home.home, 'd'),
      XDG_STATE_HOME: join(home.home, 's'),
    };
    home.events('install', '--browser', 'chromium', '--service');
    expect(home.content()).toContain(`c/chromium/${manifest}`);
    expect(home.read('d/manypath/manypath-native-host')).toContain(
      `MANYPATH_STATE='${home.home}/s/manypath'`,
    );
    expect(home.read('c/systemd/user/manypath.service')).toContain(`--state ${home.home}/s/manypath\n`);
    home.events('uninstall');
    expect(home.content()).toEqual([]);
  });

  it('says how to start the daemon when systemd does not', () => {
    using home = new Home({ systemctl: 'echo "Failed to connect to bus: No medium found" >&2; exit 1' });
    const { stdout } = home.run('install', '--browser', 'all', '--service');
    expect(stdout).toContain('  Failed to connect to bus: No medium found\n');
    expect(stdout).toContain('systemctl --user enable --now manypath.service');
    home.events('uninstall');
    expect(home.content()).toEqual([]);
  });

  it('tells how to load the extension in each browser, prose within 80 columns', () => {
    using home = new Home();
    const { stdout } = home.run('install', '--browser', 'all', '--no-service');
    for (const page of ['chrome://extensions', 'edge://extensions', 'brave://extensions']) {
      expect(stdout).toContain(`open ${page}`);
    }
    expect(stdout).toContain('packages/extension/dist\n');
    const prose = stdout.split('\n').filter(line => !/^ {2}(\/|~|echo )/.test(line));
    expect(prose.filter(line => line.length > 80)).toEqual([]);
    for (const command of ['install', 'uninstall']) {
      const help = home.run(command, '--help').stdout;
      expect(help.split('\n').filter(line => line.length > 80)).toEqual([]);
    }
  });

  it("does not replace a user's own unit", () => {
    using home = new Home();
    mkdirSync(join(home.home, '.config/systemd/user'), { recursive: true });
    writeFileSync(join(home.home, unit), '[Service]\n');
    const before = home.content();
    const { status, stderr } = home.run('install', '--browser', 'chromium', '--service');
    expect(status).toBe(1);
    expect(stderr).toContain('[MANYPATH_INSTALL_FOREIGN_FILE]');
    expect(home.content()).toEqual(before);
  });

  it('removes nothing by a record that is not its own', () => {
    using home = new Home();
    const precious = join(home.home, 'precious');
    writeFileSync(precious, '');
    mkdirSync(join(home.home, '.local/share/manypath'), { recursive: true });
    const record = join(home.home, '.local/share/manypath/installed.json');
    const wrong = [
      '{',
      'null',
      '{"version":2,"files":[],"folders":[]}',
      '{"version":1,"files":["relative"],"folders":[]}',
      JSON.stringify({ version: 1, files: [precious], folders: [] }),
    ];
    for (const text of wrong) {
      writeFileSync(record, text);
      const { status, stderr } = home.run('uninstall');
      expect(status).toBe(1);
      expect(stderr).toContain('[MANYPATH_INSTALL_RECORD_INVALID]');
    }
    expect(existsSync(precious)).toBe(true);
  });

  it('explains a folder that cannot be made', () => {
    using home = new Home();
    writeFileSync(join(home.home, '.config'), 'a file');
    const { status, stderr } = home.run('install', '--browser', 'chromium', '--no-service');
    expect(status).toBe(1);
    expect(stderr).toContain('[MANYPATH_INSTALL_FILE]');
    rmSync(join(home.home, '.config'));
    home.events('uninstall');
    expect(home.content()).toEqual([]);
  });
});

describe('the unit of the daemon', () => {
  it('differs from the one of another version, so that an upgrade starts it again', () => {
    const command = ['/usr/bin/manypath', 'up'];
    expect(serviceUnit({ command, version: '1.0.0' })).not.toBe(serviceUnit({ command, version: '1.0.1' }));
  });

  it('quotes what systemd would take for something else', () => {
    const command = ['/opt/a b/node', '100%', '$HOME', 'say "hi"', 'back\\slash'];
    const unit = serviceUnit({ command, version: '1.0.0' });
    expect(unit).toContain('ExecStart="/opt/a b/node" 100%% "$$HOME" "say \\"hi\\"" "back\\\\slash"\n');
  });
});
