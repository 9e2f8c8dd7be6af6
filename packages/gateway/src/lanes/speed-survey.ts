import { errorMessage, type Logger, type Pairing } from '@manypath/core';
import type { PathOutlook, Steward } from '@manypath/paths';
import type { GatewayLimits } from '../limits.ts';
import { measurePath } from './measure-path.ts';

export interface SpeedSurveyOptions {
  readonly pairing: Pairing;
  readonly steward: Pick<Steward, 'outlooks' | 'hasMeasured' | 'note' | 'account'>;
  readonly limits: GatewayLimits;
  readonly logger: Logger;
  /** Measures one path. Default: over the network. */
  readonly measure?: typeof measurePath;
}

/**
 * Knows how fast each path to the relay is before something has to be carried: every path is measured once on every network, one
 * after the other. A `secondary` path is
 * spared: it is measured only when nothing is known of it.
 */
export class SpeedSurvey {
  readonly #options: SpeedSurveyOptions;
  readonly #stop = new AbortController();
  readonly #failed = new Set<string>();
  #running = false;
  #useless = false;

  constructor(options: SpeedSurveyOptions) {
    this.#options = options;
  }

  /** Measures what is not known. To be called when the relay is there, and when paths changed. */
  async run(): Promise<void> {
    if (this.#running || this.#useless) return;
    this.#running = true;
    try {
      for (let next = this.#next(); next !== undefined; next = this.#next()) await this.#measure(next);
    } finally {
      this.#running = false;
    }
  }

  /** Paths that could not be measured are tried again the next time. */
  forgive(): void {
    this.#failed.clear();
  }

  close(): void {
    this.#stop.abort();
  }

  #next(): PathOutlook | undefined {
    if (this.#stop.signal.aborted || this.#useless) return undefined;
    const { steward } = this.#options;
    const outlooks = steward.outlooks();
    // With one path there is nothing to choose.
    if (outlooks.length < 2) return undefined;
    return outlooks.find(outlook => {
      const { tier, health, path, downMbps } = outlook;
      // What is for backup only carries nothing, not even this.
      if (tier === 'never' || tier === 'backup' || health === 'dead' || health === 'captive') return false;
      if (this.#failed.has(path.name) || steward.hasMeasured(outlook)) return false;
      return tier === 'primary' || downMbps === undefined;
    });
  }

  async #measure(outlook: PathOutlook): Promise<void> {
    const { pairing, steward, limits, logger } = this.#options;
    const { name } = outlook.path;
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(limits.measureMs)]);
    try {
      const measured = await (this.#options.measure ?? measurePath)(pairing, outlook, limits.measureBytes, {
        signal,
        onSocket: socket => steward.account(socket),
      });
      this.#useless = measured === undefined;
      if (measured === undefined) return;
      steward.note(outlook, measured);
      logger.debug({ path: name, ...measured }, 'a path was measured');
    } catch (error) {
      this.#failed.add(name);
      logger.debug({ path: name, error: errorMessage(error) }, 'a path could not be measured');
    }
  }
}
