import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  forgetPairing,
  keepPairing,
  keptPairing,
  RelayChoice,
  readPairingFrom,
} from '../../src/pairing/index.ts';

const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I';
const url = (port: number) => `manypath://${secret}@127.0.0.1:${port}`;

let folder: string;
let title: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-pairing-'));
  title = process.title;
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  process.title = title;
  vi.unstubAllEnvs();
});

describe('the relay that is used', () => {
  it('is that of the command line, else of the environment, else of the configuration, else the one kept', () => {
    keepPairing(folder, url(4));
    const config = { relay: url(3) };
    expect(RelayChoice.of(undefined, folder).with({})).toEqual({ pairing: url(4), from: 'pairing' });
    expect(RelayChoice.of(undefined, folder).with(config)).toEqual({
      pairing: url(3),
      from: 'configuration',
    });
    vi.stubEnv('MANYPATH_RELAY', url(2));
    expect(RelayChoice.of(undefined, folder).with(config)).toEqual({ pairing: url(2), from: 'environment' });
    vi.stubEnv('MANYPATH_RELAY', url(2));
    expect(RelayChoice.of(url(1), folder).with(config)).toEqual({ pairing: url(1), from: 'command line' });
    vi.stubEnv('MANYPATH_RELAY', url(2));
    expect(RelayChoice.of(false, folder).with(config)).toBeUndefined();
  });

  it('is none where nobody names one, also not an empty environment variable', () => {
    vi.stubEnv('MANYPATH_RELAY', '');
    expect(RelayChoice.of(undefined, folder).with({})).toBeUndefined();
  });

  it('is not left in the environment for programs that are started later', () => {
    for (const option of [undefined, url(1), false] as const) {
      vi.stubEnv('MANYPATH_RELAY', url(2));
      RelayChoice.of(option, folder);
      expect(process.env.MANYPATH_RELAY).toBeUndefined();
    }
  });

  it('is read from a file, by option and by environment, with a warning when others can read it too', () => {
    const file = join(folder, 'relay.url');
    writeFileSync(file, `\n${url(5)}\n`, { mode: 0o600 });
    const warnings: string[] = [];
    const logger = { warn: (_: object, message: string) => void warnings.push(message) };
    expect(RelayChoice.of(`@${file}`, folder, logger).with({})?.pairing).toBe(url(5));
    expect(warnings).toEqual([]);
    chmodSync(file, 0o644);
    vi.stubEnv('MANYPATH_RELAY', `@${file}`);
    expect(RelayChoice.of(undefined, folder, logger).with({})?.pairing).toBe(url(5));
    expect(warnings).toEqual([expect.stringContaining('chmod 600')]);
  });

  it('is refused with its code when the file is not there, or holds something else', () => {
    const code = (option: string) => {
      try {
        RelayChoice.of(option, folder);
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code(`@${join(folder, 'missing')}`)).toBe('MANYPATH_PAIRING_FILE');
    expect(code(`@${folder}`)).toBe('MANYPATH_PAIRING_FILE');
    writeFileSync(join(folder, 'other'), `not a pairing ${secret}`);
    expect(code(`@${join(folder, 'other')}`)).toBe('MANYPATH_PAIRING_INVALID');
  });

  it('comes with one warning when its secret stands in the command line, and only then', () => {
    const warnings: string[] = [];
    const logger = { warn: (_: object, message: string) => void warnings.push(message) };
    RelayChoice.of('http://127.0.0.1:3128', folder, logger);
    expect(warnings).toEqual([]);
    RelayChoice.of(url(1), folder, logger);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).not.toContain(secret);
  });
});

describe('the pairing that is kept', () => {
  it('is in a file that its owner alone may read, and replaces the one before', () => {
    keepPairing(folder, ` ${url(1)}\n`);
    keepPairing(folder, url(2));
    expect(keptPairing(folder)).toBe(url(2));
    const file = join(folder, 'pairing');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    chmodSync(file, 0o644);
    expect(keptPairing(folder)).toBe(url(2));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect([forgetPairing(folder), forgetPairing(folder)]).toEqual([true, false]);
    expect(keptPairing(folder)).toBeUndefined();
  });

  it('stays the one it was when a new one is none', () => {
    keepPairing(folder, url(1));
    expect(() => keepPairing(folder, 'manypath://')).toThrow(
      expect.objectContaining({ code: 'MANYPATH_PAIRING_INVALID' }),
    );
    expect(keptPairing(folder)).toBe(url(1));
  });

  it('is told of with the file and what to do when it is damaged, without what stands in it', () => {
    const damages = [
      `garbage ${secret}`,
      `manypath://${secret}@`,
      '\0\0\0',
      `manypath://${secret}@a:1?pin=x`,
    ];
    for (const text of damages) {
      writeFileSync(join(folder, 'pairing'), text);
      try {
        keptPairing(folder);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({
          code: 'MANYPATH_PAIRING_FILE',
          hint: expect.stringContaining('manypath pair'),
        });
        expect(String(error)).not.toContain(secret);
      }
    }
    expect(readFileSync(join(folder, 'pairing'), 'utf8')).toBe(damages.at(-1));
  });
});

describe('a pairing that is pasted', () => {
  for (const [what, pieces] of [
    ['alone', [`${url(1)}\n`]],
    ['without the end of a line', [url(1)]],
    ['in pieces', ['many', `path://${secret}`, '@127.0.0.1', ':1\n']],
    ['in quotes, with what stands around it', [`Paste this:\n\n  manypath pair '${url(1)}'\n`]],
    ['with the line ends of Windows', [`\r\n${url(1)}\r\n`]],
  ] as const) {
    it(`is found ${what}`, async () => {
      const input = new PassThrough();
      for (const piece of pieces) input.write(piece);
      input.end();
      expect(await readPairingFrom(input)).toBe(url(1));
    });
  }

  it('is taken with its line: nothing more is waited for', async () => {
    const input = new PassThrough();
    input.write(`${url(1)}\n`);
    expect(await readPairingFrom(input)).toBe(url(1));
  });

  it('is missed when there is none', async () => {
    await expect(readPairingFrom(new PassThrough().end('nothing here\n'))).rejects.toMatchObject({
      code: 'MANYPATH_PAIRING_INVALID',
    });
  });
});
