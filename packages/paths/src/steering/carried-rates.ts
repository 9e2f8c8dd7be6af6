import type { PathOutlook } from '../outlook.ts';
import type { CarriedRate } from './rate-watch.ts';

/** How long it is believed that a path can do what it did, in milliseconds. */
const believedMs = 300_000;
/** In Mbit/s: less is no transfer that says something. */
const leastMbps = 1;

type Rate = keyof CarriedRate;

/**
 * What paths were seen to carry, whatever a measurement made of them: one that took a path for slower than that was wrong. It says
 * nothing of a path that nobody measured: that may carry far more.
 */
export class CarriedRates {
  readonly #best = new Map<string, { readonly mbps: number; readonly at: number }>();

  /** @param place The path and its network. @param now By a steady clock, in milliseconds. */
  note(place: string, rate: CarriedRate, now: number): void {
    for (const figure of ['downMbps', 'upMbps'] as const) {
      const mbps = rate[figure];
      if (mbps >= Math.max(leastMbps, this.#of(place, figure, now))) {
        this.#best.set(`${figure} ${place}`, { mbps, at: now });
      }
    }
  }

  /** The outlook with rates no lower than what was seen. */
  raise(outlook: PathOutlook, place: string, now: number): PathOutlook {
    const { downMbps, upMbps } = outlook;
    const raised = (measured: number | undefined, figure: Rate): number | undefined =>
      measured === undefined ? undefined : Math.max(measured, this.#of(place, figure, now));
    return { ...outlook, downMbps: raised(downMbps, 'downMbps'), upMbps: raised(upMbps, 'upMbps') };
  }

  #of(place: string, figure: Rate, now: number): number {
    const best = this.#best.get(`${figure} ${place}`);
    return best === undefined || now - best.at > believedMs ? 0 : best.mbps;
  }
}
