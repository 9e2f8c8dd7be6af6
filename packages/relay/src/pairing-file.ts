import { join } from 'node:path';
import { parsePairing } from '@manypath/core';
import { readPrivateFile, replaceFile } from '@manypath/files';

/** Where a relay writes the pairing URL that it has, for whoever may read its state folder. */
export function pairingFile(stateDir: string): string {
  return join(stateDir, 'relay', 'pairing');
}

/**
 * The pairing URL of the relay that ran last with this state folder; `undefined` when none did.
 *
 * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`, when the file is damaged
 */
export function readPairing(stateDir: string): string | undefined {
  const text = readPrivateFile(pairingFile(stateDir))?.trim();
  if (text !== undefined) parsePairing(text);
  return text;
}

export function writePairing(stateDir: string, pairing: string): void {
  if (readPrivateFile(pairingFile(stateDir))?.trim() === pairing) return;
  replaceFile(pairingFile(stateDir), `${pairing}\n`);
}
