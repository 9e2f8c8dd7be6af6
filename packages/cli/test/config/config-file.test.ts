import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configPlace, editConfig, loadConfig } from '../../src/config/index.ts';

let folder: string;
let file: string;
const before = process.env.XDG_CONFIG_HOME;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-config-'));
  file = join(folder, 'config.json');
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  if (before === undefined) delete process.env.XDG_CONFIG_HOME;
  else process.env.XDG_CONFIG_HOME = before;
});

describe('the configuration file', () => {
  it('is where XDG says, unless another one is named', () => {
    process.env.XDG_CONFIG_HOME = folder;
    expect(configPlace(undefined)).toEqual({ file: join(folder, 'manypath', 'config.json'), named: false });
    for (const ignored of ['', 'relative/folder']) {
      process.env.XDG_CONFIG_HOME = ignored;
      expect(configPlace(undefined).file).toBe(join(homedir(), '.config', 'manypath', 'config.json'));
    }
    expect(configPlace('x.json')).toEqual({ file: join(process.cwd(), 'x.json'), named: true });
  });

  it('may be missing unless it was named', () => {
    expect(loadConfig({ file, named: false })).toEqual({});
    expect(() => loadConfig({ file, named: true })).toThrow('there is no such file');
  });

  it('is named when it is wrong or cannot be read', () => {
    writeFileSync(file, '{"relai":1}');
    expect(() => loadConfig({ file, named: false })).toThrow(`${file} is wrong at relai`);
    expect(() => loadConfig({ file: folder, named: false })).toThrow(
      `cannot read the configuration ${folder}`,
    );
  });
});

describe('editing the configuration', () => {
  it('makes the file for its owner alone, with its folder', () => {
    const deep = join(folder, 'a', 'b', 'config.json');
    editConfig(deep, config => {
      config.paths = { wlan0: 'backup' };
    });
    expect(readFileSync(deep, 'utf8')).toBe('{\n  "paths": {\n    "wlan0": "backup"\n  }\n}\n');
    expect(statSync(deep).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
  });

  it('closes a file that others can read when a pairing comes into it', () => {
    writeFileSync(file, '{"listen": "127.0.0.1:1"}', { mode: 0o644 });
    editConfig(file, config => {
      config.relay = 'manypath://secret@127.0.0.1:9';
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('leaves the rest, its order, its indent and the mode of the file as they are', () => {
    writeFileSync(file, '{\n\t"straight": ["cdn.example"],\n\t"listen": "127.0.0.1:1"\n}', { mode: 0o640 });
    editConfig(file, config => {
      config.local = ['nas'];
    });
    expect(readFileSync(file, 'utf8')).toBe(
      '{\n\t"straight": [\n\t\t"cdn.example"\n\t],\n\t"listen": "127.0.0.1:1",\n\t"local": [\n\t\t"nas"\n\t]\n}\n',
    );
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder)).toEqual(['config.json']);
  });

  it('keeps a link a link', () => {
    mkdirSync(join(folder, 'elsewhere'));
    writeFileSync(join(folder, 'elsewhere', 'real.json'), '{}');
    symlinkSync(join('elsewhere', 'real.json'), file);
    editConfig(file, config => {
      config.local = ['nas'];
    });
    expect(lstatSync(file).isSymbolicLink()).toBe(true);
    expect(loadConfig({ file, named: true })).toEqual({ local: ['nas'] });
  });

  it('writes nothing when the file was wrong before, or is by the change', () => {
    const cases: [text: string, value: unknown][] = [
      ['{"relai":1}', ['nas']],
      ['{"x', ['nas']],
      ['{"listen":"[::1]:1"}', 'nas'],
    ];
    for (const [text, value] of cases) {
      writeFileSync(file, text);
      const edit = () =>
        editConfig(file, config => {
          config.local = value;
        });
      expect(edit).toThrow(`the configuration ${file} is wrong`);
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
  });

  it('says so when the file cannot be written', () => {
    writeFileSync(join(folder, 'x'), '');
    expect(() => editConfig(join(folder, 'x', 'config.json'), () => {})).toThrow(
      'cannot read the configuration',
    );
    expect(() => editConfig('/sys/manypath-test.json', () => {})).toThrow('cannot write the configuration');
  });
});
