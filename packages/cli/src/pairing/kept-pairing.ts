import { rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { type Clock, parsePairing, systemClock, type Timer } from '@manypath/core';
import { readPrivateFile, replaceFile } from '@manypath/files';
import { PairingFileError } from './errors.ts';

const fileName = 'pairing';

/**
 * Keeps a pairing in the state folder, in a file that only its owner may read, in place of the one that was there.
 *
 * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`
 * @throws PairingFileError `MANYPATH_PAIRING_FILE`
 */
export function keepPairing(stateDir: string, text: string): void {
  const pairing = text.trim();
  parsePairing(pairing);
  const file = join(stateDir, fileName);
  try {
    replaceFile(file, `${pairing}\n`, { durable: true });
  } catch (error) {
    throw new PairingFileError('write', file, error, 'name another folder with --state DIR');
  }
}

/**
 * The pairing that is kept in the state folder; `undefined` when there is none.
 *
 * @throws PairingFileError `MANYPATH_PAIRING_FILE`, also when what is kept there is damaged
 */
export function keptPairing(stateDir: string): string | undefined {
  const file = join(stateDir, fileName);
  try {
    const text = readPrivateFile(file)?.trim();
    if (text !== undefined) parsePairing(text);
    return text;
  } catch (error) {
    throw new PairingFileError('read', file, error, 'pair anew: manypath pair');
  }
}

/**
 * Removes the pairing that is kept.
 *
 * @returns Whether there was one.
 * @throws PairingFileError `MANYPATH_PAIRING_FILE`
 */
export function forgetPairing(stateDir: string): boolean {
  const file = join(stateDir, fileName);
  try {
    rmSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new PairingFileError('remove', file, error);
  }
}

/** It is written in two steps, a draft and a rename: how long after the last one it is looked at, in milliseconds. */
const settleMs = 50;

/** Tells when the pairing that is kept was replaced or removed. @returns What ends that. */
export function watchKeptPairing(
  stateDir: string,
  onChange: () => void,
  clock: Clock = systemClock,
): () => void {
  let timer: Timer | undefined;
  try {
    const watcher = watch(stateDir, { persistent: false }, (_event, name) => {
      if (name !== fileName) return;
      timer?.cancel();
      timer = clock.after(settleMs, onChange);
    });
    watcher.on('error', () => watcher.close());
    return () => {
      timer?.cancel();
      watcher.close();
    };
  } catch {
    // Where folders cannot be watched, the next start finds it.
    return () => {};
  }
}
