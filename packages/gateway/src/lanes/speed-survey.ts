import { errorMessage, type Logger, type Pairing } from '@manypath/core';
import { leftOut, type MeasuredPath, type PathOutlook, type Steward } from '@manypath/paths';
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
 * after the other. A path that would be left out for that is measured a second time, and so is the one it is left out beside: a busy
 * computer can make a path seem many times slower or faster than it is. A `secondary` path is spared: it is measured
 * only when nothing is known of it.
 */
export class SpeedSurvey {
  readonly #options: SpeedSurveyOptions;
  readonly #stop = new AbortController();
  readonly #failed = new Set<string>();
  /** Places of paths that were left out, and measured a second time. */
  readonly #confirmed = new Set<string>();
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
      await this.#confirm();
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

  /** Leaves no path out for what was measured once: of two measurements those count that speak for it. */
  async #confirm(): Promise<void> {
    const { steward } = this.#options;
    for (const { outlook, beside } of leftOut(steward.outlooks())) {
      const { name, network } = outlook.path;
      const place = `${name} ${network}`;
      if (this.#stop.signal.aborted || outlook.tier !== 'primary' || this.#confirmed.has(place)) continue;
      this.#confirmed.add(place);
      await this.#measure(outlook, Math.max);
      await this.#measure(beside, Math.min);
    }
  }

  /** @param choose Which of two rates counts, when there is one already. */
  async #measure(outlook: PathOutlook, choose?: (one: number, other: number) => number): Promise<void> {
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
      steward.note(outlook, choose === undefined ? measured : chosenOf(measured, outlook, choose));
      logger.debug({ path: name, ...measured }, 'a path was measured');
    } catch (error) {
      this.#failed.add(name);
      logger.debug({ path: name, error: errorMessage(error) }, 'a path could not be measured');
    }
  }
}

function chosenOf(
  measured: MeasuredPath,
  { downMbps, upMbps }: PathOutlook,
  choose: (one: number, other: number) => number,
): MeasuredPath {
  const rate = (now: number | undefined, before: number | undefined): number | undefined =>
    now === undefined || before === undefined ? now : choose(now, before);
  return {
    ...measured,
    ...asFigure('downMbps', rate(measured.downMbps, downMbps)),
    ...asFigure('upMbps', rate(measured.upMbps, upMbps)),
  };
}

function asFigure(figure: 'downMbps' | 'upMbps', value: number | undefined): MeasuredPath {
  return value === undefined ? {} : { [figure]: value };
}
