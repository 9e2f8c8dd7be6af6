import { once } from 'node:events';
import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { errorCode } from '@manypath/core';
import { makeFolder } from '@manypath/files';
import { HelperSocketError } from './errors.ts';

/**
 * Makes room for the helper's socket: the folder, if it is missing; a socket that a killed helper left goes. Everything else stays,
 * as root could remove any file by this name.
 *
 * @throws HelperSocketError `MANYPATH_HELPER_SOCKET`
 */
export async function makeRoomForSocket(path: string): Promise<void> {
  try {
    makeFolder(dirname(path), 0o755);
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there === undefined) return;
    if (!there.isSocket()) throw new HelperSocketError(path, 'something else is there');
    if (await isAnswered(path)) throw new HelperSocketError(path, 'another program listens there');
    unlinkSync(path);
  } catch (error) {
    if (error instanceof HelperSocketError) throw error;
    throw new HelperSocketError(path, error);
  }
}

async function isAnswered(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    // Whoever is too busy to answer is there.
    return errorCode(error) !== 'ECONNREFUSED';
  } finally {
    socket.destroy();
  }
}
