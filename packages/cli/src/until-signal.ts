/**
 * Waits for SIGINT, SIGTERM or SIGHUP, or until `also` is aborted.
 *
 * The first signal asks the command to end cleanly. A second one within that time ends the process at once,
 * for the person who cannot wait.
 */
export function untilSignal(also?: AbortSignal): Promise<NodeJS.Signals | 'aborted'> {
  return new Promise(resolve => {
    const settle = (reason: NodeJS.Signals | 'aborted') => {
      also?.removeEventListener('abort', onAbort);
      resolve(reason);
    };
    const onAbort = () => settle('aborted');
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        settle(signal);
      });
    }
    if (also?.aborted) return settle('aborted');
    also?.addEventListener('abort', onAbort, { once: true });
  });
}
