import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { ControlSocketError } from '../errors.ts';

/** A path for the control socket, short enough for the kernel. */
export interface SocketPath {
  readonly path: string;
  /** To be called when the socket is not needed any more. */
  release(): void;
}

/** The socket's file in the state folder. */
export const socketName = 'control.sock';
/** `sun_path` has 108 bytes and ends in a zero byte; unix(7). */
const longestPath = 107;

/**
 * Where the control socket of a state folder is. A longer path than the kernel takes is gone around through a
 * descriptor of the folder.
 *
 * @throws ControlSocketError `MANYPATH_CONTROL_SOCKET`
 */
export function controlSocketPath(stateDir: string): SocketPath {
  const path = join(stateDir, socketName);
  if (Buffer.byteLength(path) <= longestPath) return { path, release() {} };
  if (process.platform !== 'linux') throw new ControlSocketError(`${path} is too long`);
  let folder: number;
  try {
    folder = openSync(stateDir, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw new ControlSocketError(`${stateDir} cannot be opened`, error);
  }
  return { path: `/proc/self/fd/${folder}/${socketName}`, release: () => closeSync(folder) };
}
