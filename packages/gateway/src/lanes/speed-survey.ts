import { type Clock, errorMessage, type Logger, type Pairing, systemClock } from '@manypath/core';
import { lookUnlike, type PathOutlook, type Steward } from '@manypath/paths';
import type { GatewayLimits } from '../limits.ts';
import { measurePath } from './measure-path.ts';
import { RepeatedMeasurement } from './repeated-measurement.ts';

export interface SpeedSurveyOptions {
  readonly pairing: Pairing;
  readonly steward: Pick<Steward, 'outlooks' | 'hasMeasured' | 'note' | 'account' | 'trafficOf'>;
  readonly limits: GatewayLimits;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Measures one path. Default: over the network. */
  readonly measure?: typeof measurePath;
}

/** What is known of a path on a network. */
interface Surveyed {
  readonly measurement: RepeatedMeasurement;
  /** Measurements that were of no use or broken off, because something else came over the path meanwhile. */
  disturbed: number;
}

/**
 * Knows how fast each path to the relay is before something has to be carried: every path is measured once on every network, one
 * after the other, while nothing else is on it: what is measured beside a transfer says little, and holds the transfer up.
 * Paths that look unlike are measured again until two measurements agree, so that noise keeps none of them
 * out of transfers. A `secondary` path is spared: it is measured only when nothing is known of it.
 */
export class SpeedSurvey {
  readonly #options: SpeedSurveyOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #failed = new Set<string>();
  /** By path and network. */
  readonly #surveyed = new Map<string, Surveyed>();
  /** What is measured now, and may be broken off. */
  #measuring: { readonly surveyed: Surveyed; readonly over: AbortController } | undefined;
  #gaveWayAt = Number.NEGATIVE_INFINITY;
  #running = false;
  #useless = false;

  constructor(options: SpeedSurveyOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Measures what is not known, as soon as the paths are quiet. To be called when the relay is there, and when paths changed. */
  async run(): Promise<void> {
    if (this.#running || this.#useless) return;
    this.#running = true;
    try {
      for (let wanted = this.#wanted(); wanted.length > 0; wanted = this.#wanted()) {
        const quiet = await this.#quietOne(wanted);
        if (quiet !== undefined) await this.#measure(quiet);
      }
    } finally {
      this.#running = false;
    }
  }

  /** Paths that could not be measured are tried again the next time. */
  forgive(): void {
    this.#failed.clear();
  }

  /** Something is about to be carried: what is measured now is broken off, and measured when all is quiet again. */
  giveWay(): void {
    this.#gaveWayAt = this.#clock.now();
    const { surveyed, over } = this.#measuring ?? {};
    if (surveyed === undefined || surveyed.disturbed >= this.#options.limits.measureDisturbed) return;
    surveyed.disturbed += 1;
    over?.abort();
  }

  close(): void {
    this.#stop.abort();
  }

  /** What is to be measured: first paths that were not, then those that only seem unlike. */
  #wanted(): readonly PathOutlook[] {
    if (this.#stop.signal.aborted || this.#useless) return [];
    const { steward } = this.#options;
    const outlooks = steward.outlooks();
    // With one path there is nothing to choose.
    if (outlooks.length < 2) return [];
    const measurable = outlooks.filter(({ tier, health, path }) => {
      // What is for backup only carries nothing, not even this.
      if (tier === 'never' || tier === 'backup' || health === 'dead' || health === 'captive') return false;
      return !this.#failed.has(path.name);
    });
    const fresh = measurable.filter(
      outlook =>
        !steward.hasMeasured(outlook) && (outlook.tier === 'primary' || outlook.downMbps === undefined),
    );
    if (fresh.length > 0) return fresh;
    return lookUnlike(measurable.filter(({ tier }) => tier === 'primary'))
      .filter(outlook => !this.#of(outlook).measurement.isBelieved)
      .sort((one, other) => this.#of(one).measurement.count - this.#of(other).measurement.count);
  }

  #of({ path: { name, network } }: PathOutlook): Surveyed {
    const place = `${name} ${network}`;
    const surveyed = this.#surveyed.get(place) ?? { measurement: new RepeatedMeasurement(), disturbed: 0 };
    this.#surveyed.set(place, surveyed);
    return surveyed;
  }

  /** Waits for a moment. @returns The first of these paths that carried next to nothing in it; `undefined` when none did. */
  async #quietOne(outlooks: readonly PathOutlook[]): Promise<PathOutlook | undefined> {
    const { limits, steward } = this.#options;
    const before = outlooks.map(outlook => steward.trafficOf(outlook));
    if (before[0] === undefined) return outlooks[0];
    await this.#pause(limits.quietMs);
    const isCalm = this.#clock.now() - this.#gaveWayAt >= limits.quietMs;
    const quiet = outlooks.find((outlook, index) => {
      if (!isCalm) return false;
      const carried = (steward.trafficOf(outlook) ?? 0) - (before[index] ?? 0);
      return carried <= limits.quietBytes;
    });
    // Two gateways that wait for one another had better not do so in step.
    if (quiet === undefined) await this.#pause(limits.quietRetryMs * (0.5 + Math.random()));
    return quiet;
  }

  #pause(milliseconds: number): Promise<void> {
    const { signal } = this.#stop;
    return new Promise(resolve => {
      if (signal.aborted) return resolve();
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.after(milliseconds, end);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async #measure(outlook: PathOutlook): Promise<void> {
    const { pairing, steward, limits, logger } = this.#options;
    const { name } = outlook.path;
    const surveyed = this.#of(outlook);
    const over = new AbortController();
    this.#measuring = { surveyed, over };
    const signal = AbortSignal.any([this.#stop.signal, over.signal, AbortSignal.timeout(limits.measureMs)]);
    const before = steward.trafficOf(outlook);
    try {
      const measured = await (this.#options.measure ?? measurePath)(pairing, outlook, limits.measureBytes, {
        signal,
        onSocket: socket => steward.account(socket),
      });
      this.#useless = measured === undefined;
      if (measured === undefined) return;
      const carried = (steward.trafficOf(outlook) ?? 0) - (before ?? 0);
      if (carried > mostCarried(limits) && surveyed.disturbed < limits.measureDisturbed) {
        surveyed.disturbed += 1;
        logger.debug(
          { path: name, carried, ...measured },
          'something else came over a path that was measured',
        );
        return;
      }
      surveyed.measurement.add(measured);
      steward.note(outlook, surveyed.measurement.figures());
      logger.debug({ path: name, ...measured }, 'a path was measured');
    } catch (error) {
      if (over.signal.aborted) return;
      this.#failed.add(name);
      logger.debug({ path: name, error: errorMessage(error) }, 'a path could not be measured');
    } finally {
      this.#measuring = undefined;
    }
  }
}

/** What a measurement brings onto a path at most, both ways, with heads, handshake and what was sent twice. */
function mostCarried({ measureBytes }: GatewayLimits): number {
  return 2.6 * measureBytes;
}
