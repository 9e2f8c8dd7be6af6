import { errorMessage, fileAdvice, ManypathError } from '@manypath/core';

/** The privileged helper does not do what it was asked. */
export class HelperRefusedError extends ManypathError {
  constructor(reason: string) {
    super('MANYPATH_HELPER_REFUSED', `the helper refuses: ${reason}`);
  }
}

/** The privileged helper has gone, or never was there. */
export class HelperGoneError extends ManypathError {
  constructor(path: string, cause?: unknown) {
    super('MANYPATH_HELPER_GONE', `the helper at ${path} does not answer`, {
      ...(cause === undefined ? {} : { cause }),
      hint: 'start it with `sudo manypath helper`, or go on without: paths are then used as they are set up',
    });
  }
}

/** The privileged helper cannot listen where it was told to. */
export class HelperSocketError extends ManypathError {
  /** @param reason Why: words, or what the system says. */
  constructor(path: string, reason: unknown) {
    super('MANYPATH_HELPER_SOCKET', `the helper cannot listen at ${path}: ${errorMessage(reason)}`, {
      ...(reason instanceof Error ? { cause: reason } : {}),
      hint:
        fileAdvice(
          reason,
          'name another place with --socket; the helper is for root: sudo manypath helper',
        ) ?? 'end the helper that runs, if it is one, or name another place with --socket',
    });
  }
}
