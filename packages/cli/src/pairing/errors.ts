import { errorMessage, fileAdvice, ManypathError } from '@manypath/core';

/** A file that holds a pairing, or should, cannot be used (`MANYPATH_PAIRING_FILE`). */
export class PairingFileError extends ManypathError {
  /** @param hint What to do unless the system says that rights or room are missing. */
  constructor(doing: 'read' | 'write' | 'remove', file: string, cause: unknown, hint?: string) {
    const advice = fileAdvice(cause, 'name another folder with --state DIR') ?? hint;
    super('MANYPATH_PAIRING_FILE', `cannot ${doing} the pairing in ${file}: ${errorMessage(cause)}`, {
      cause,
      ...(advice === undefined ? {} : { hint: advice }),
    });
  }
}

/** No pairing is kept (`MANYPATH_PAIRING_MISSING`). */
export class NoPairingError extends ManypathError {
  /** @param hint What to do. Default: what gets a pairing from a relay elsewhere. */
  constructor(hint?: string) {
    super('MANYPATH_PAIRING_MISSING', 'no pairing with a relay is kept here', {
      hint:
        hint ?? 'run `manypath relay` on your server, then `manypath pair` here, and paste what it printed',
    });
  }
}
