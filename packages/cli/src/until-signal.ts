/**
 * Waits for SIGINT, SIGTERM or SIGHUP. Call it first and await it last, so that a signal that comes while a command
 * still starts ends it cleanly too.
 *
 * The first signal asks the command to end cleanly. A second one ends the process at once, for the person who
 * cannot wait.
 */
export function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        resolve(signal);
      });
    }
  });
}

/** Waits until `signal` is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
