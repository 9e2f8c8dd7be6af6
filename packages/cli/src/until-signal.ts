import { exitCodes } from './terminal/failure.ts';

/**
 * Waits for SIGINT, SIGTERM or SIGHUP, or the signals that are given. Call it first and await it last, so that a signal that comes while a command
 * still starts ends it cleanly too.
 *
 * The first signal asks the command to end cleanly. A second one ends the process at once, for the person who
 * cannot wait.
 */
export function untilSignal(
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'],
): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    for (const signal of signals) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(exitCodes.interrupted));
        resolve(signal);
      });
    }
  });
}

/** Goes on when the terminal goes, as at the end of an SSH session: what would be written to it is for nobody. */
export function surviveTerminal(): void {
  process.on('SIGHUP', () => {});
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}

/** Waits until `signal` is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
