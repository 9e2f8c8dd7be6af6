import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { coreLimits, PairingInvalidError } from '@manypath/core';

/** What somebody pastes may have more around it: the line before it, quotes, a prompt. */
const url = /(?:manypath|https?):\/\/[^\s'"`]+/i;

/**
 * The first pairing URL in what a stream brings; the rest is not waited for.
 *
 * @param signal Gives up, with its reason.
 * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`, when there is none in it
 */
export async function readPairingFrom(input: Readable, signal?: AbortSignal): Promise<string> {
  const lines = createInterface({ input, terminal: false, ...(signal === undefined ? {} : { signal }) });
  let read = 0;
  try {
    for await (const line of lines) {
      const found = url.exec(line)?.[0];
      if (found !== undefined) return found;
      read += line.length + 1;
      if (read > coreLimits.configCharacters) break;
    }
  } finally {
    lines.close();
    input.pause();
  }
  throw new PairingInvalidError('there is none in what was given');
}
