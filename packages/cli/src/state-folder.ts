import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { errorCode } from '@manypath/core';

/**
 * The folder that keeps what outlives a command: pairing, keys, control socket, learned facts.
 *
 * @param chosen The value of `--state`; else `$XDG_STATE_HOME/manypath`, else `~/.local/state/manypath`.
 * @returns An absolute path to a folder that only its owner can enter (mode 0700). It exists unless it cannot be made here.
 */
export function stateFolder(chosen: string | undefined): string {
  const folder = resolve(chosen ?? join(stateHome(), 'manypath'));
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    // Full or read-only: who cannot do without it says so, and all others work.
    if (!['EROFS', 'ENOSPC', 'EDQUOT', 'EACCES'].includes(errorCode(error) ?? '')) throw error;
  }
  return folder;
}

function stateHome(): string {
  const fromEnvironment = process.env.XDG_STATE_HOME;
  // The XDG specification says that a relative path there is to be ignored.
  if (fromEnvironment?.startsWith('/')) return fromEnvironment;
  return join(homedir(), '.local', 'state');
}
