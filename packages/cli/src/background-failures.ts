import { errorMessage } from '@manypath/core';
import { exitCodes } from './terminal/failure.ts';
import type { CommandLogger } from './terminal/log.ts';

/** How long putting the host back may take when the process ends by a defect, in milliseconds. */
const cleanUpMs = 3000;
/** How long the same failure is not told again, in milliseconds. */
const quietMs = 60_000;
/** Different failures that are remembered for that. */
const mostRemembered = 100;

/**
 * What fails in a daemon where nobody waits for it. A promise that was rejected is told, and the daemon goes on; after an exception
 * nobody knows what is half done: then the host is put back, and the process ends with one line that says why.
 */
export class BackgroundFailures {
  readonly #logger: CommandLogger;
  readonly #cleanUps: (() => Promise<void>)[] = [];
  readonly #toldAt = new Map<string, number>();
  #ending = false;

  /** Begins to watch, for as long as the process lives. */
  static watch(logger: CommandLogger): BackgroundFailures {
    return new BackgroundFailures(logger);
  }

  private constructor(logger: CommandLogger) {
    this.#logger = logger;
    process.on('unhandledRejection', error => this.#tell(error));
    process.on('uncaughtException', error => this.#end(error));
    // Whoever read what is printed may go: that ends no daemon.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  }

  /** Has something done before the process ends by an exception; what was given last comes first. */
  beforeEnd(cleanUp: () => Promise<void>): void {
    this.#cleanUps.unshift(cleanUp);
  }

  #tell(error: unknown): void {
    const message = errorMessage(error);
    const now = performance.now();
    if (now - (this.#toldAt.get(message) ?? Number.NEGATIVE_INFINITY) < quietMs) return;
    if (this.#toldAt.size >= mostRemembered) this.#toldAt.clear();
    this.#toldAt.set(message, now);
    this.#logger.error(
      { error: message, at: placeOf(error) },
      'something failed in the background; going on',
    );
  }

  #end(error: unknown): void {
    // One in the middle of cleaning up: what is not done is done by the next start.
    if (this.#ending) process.exit(exitCodes.software);
    this.#ending = true;
    this.#logger.error({ error: errorMessage(error), at: placeOf(error) }, 'ended by a defect of Manypath');
    setTimeout(() => process.exit(exitCodes.software), cleanUpMs);
    void this.#cleanUp().finally(() => process.exit(exitCodes.software));
  }

  async #cleanUp(): Promise<void> {
    for (const cleanUp of this.#cleanUps) await cleanUp().catch(() => {});
  }
}

/** Where an error was made, for a report of it. */
function placeOf(error: unknown): string {
  const frame = error instanceof Error ? /\n\s+at (.*)/.exec(error.stack ?? '')?.[1] : undefined;
  return frame ?? 'an unknown place';
}
