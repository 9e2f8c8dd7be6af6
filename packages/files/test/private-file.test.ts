import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { ownFolder, privateFolder, readOrdinaryFile, readPrivateFile } from '../src/index.ts';

const isRoot = process.geteuid?.() === 0;
const otherUser = 4242;

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'manypath-private-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

const modeOf = (place: string) => statSync(place).mode & 0o7777;

it('does not wait for a pipe, and reads no device and no folder', () => {
  const pipe = join(folder(), 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const place of [pipe, '/dev/zero', tmpdir()]) {
    expect(() => readPrivateFile(place)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  }
});

it('reads no more than it may', () => {
  const file = join(folder(), 'file');
  writeFileSync(file, '12345');
  expect(readOrdinaryFile(file, { most: 5 })).toBe('12345');
  expect(() => readOrdinaryFile(file, { most: 4 })).toThrow(RangeError);
});

it('closes a file to others, also by another name of it', () => {
  const [place, file] = [folder(), 'victim'];
  writeFileSync(join(place, file), 'x');
  chmodSync(join(place, file), 0o644);
  linkSync(join(place, file), join(place, 'hard'));
  symlinkSync(file, join(place, 'soft'));
  expect([readPrivateFile(join(place, 'hard')), readPrivateFile(join(place, 'soft'))]).toEqual(['x', 'x']);
  expect(modeOf(join(place, file))).toBe(0o600);
  expect(readPrivateFile(join(place, 'none'))).toBeUndefined();
});

it('closes a folder to the writing of others, and leaves one alone in which everybody has files of their own', () => {
  const place = join(folder(), 'state');
  for (const [before, after] of [
    [0o777, 0o755],
    [0o770, 0o750],
    [0o1777, 0o1777],
    [0o700, 0o700],
  ] as const) {
    mkdirSync(place);
    chmodSync(place, before);
    ownFolder(place);
    expect(modeOf(place)).toBe(after);
    privateFolder(place);
    expect(modeOf(place)).toBe(0o700);
    rmSync(place, { recursive: true });
  }
});

it.runIf(isRoot)('takes no folder and no file of another user, unless that one called sudo', () => {
  const place = folder();
  const file = join(place, 'file');
  writeFileSync(file, 'x', { mode: 0o600 });
  for (const owned of [place, file]) chownSync(owned, otherUser, otherUser);
  const foreign = expect.objectContaining({ code: 'EPERM' });
  expect(() => ownFolder(place)).toThrow(foreign);
  expect(() => privateFolder(place)).toThrow(foreign);
  expect(() => readPrivateFile(file)).toThrow(foreign);
  vi.stubEnv('SUDO_UID', String(otherUser));
  onTestFinished(() => void vi.unstubAllEnvs());
  ownFolder(place);
  expect(readPrivateFile(file)).toBe('x');
});
