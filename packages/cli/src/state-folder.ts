import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { errorCode, errorMessage, ManypathError } from '@manypath/core';
import { ownFolder } from '@manypath/files';

/**
 * There is no folder of this name that can be used: a file is in the way, it is below /proc, or another user's, who could change
 * what is in it (`MANYPATH_STATE_FOLDER`).
 */
class StateFolderError extends ManypathError {
  constructor(folder: string, cause: unknown) {
    super('MANYPATH_STATE_FOLDER', `${folder} cannot be the state folder: ${errorMessage(cause)}`, {
      cause,
      hint: 'name a folder of your own with --state DIR; without it ~/.local/state/manypath is used',
    });
  }
}

/**
 * The folder that keeps what outlives a command: pairing, keys, control socket, learned facts.
 *
 * @param chosen The value of `--state`; else `$XDG_STATE_HOME/manypath`, else `~/.local/state/manypath`.
 * @returns An absolute path to a folder in which only its owner can write; one that is made is closed to others (mode 0700). It
 *   exists unless it cannot be made here.
 * @throws StateFolderError `MANYPATH_STATE_FOLDER` where there can never be one, or it belongs to another user
 */
export function stateFolder(chosen: string | undefined): string {
  const folder = resolve(chosen ?? join(stateHome(), 'manypath'));
  try {
    ownFolder(folder);
  } catch (error) {
    // Full or read-only: who cannot do without it says so, and all others work.
    if (!['EROFS', 'ENOSPC', 'EDQUOT', 'EACCES'].includes(errorCode(error) ?? '')) {
      throw new StateFolderError(folder, error);
    }
  }
  return folder;
}

function stateHome(): string {
  const fromEnvironment = process.env.XDG_STATE_HOME;
  // The XDG specification says that a relative path there is to be ignored.
  if (fromEnvironment?.startsWith('/')) return fromEnvironment;
  return join(homedir(), '.local', 'state');
}
