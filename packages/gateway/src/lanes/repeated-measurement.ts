import type { MeasuredPath } from '@manypath/paths';

/** After so many measurements of a path no more is asked. */
const mostMeasurements = 3;
/** Two rates agree when the lower one is at least this share of the higher. */
const agreement = 0.8;

type Rate = 'downMbps' | 'upMbps';

/** What several measurements of one path say together: a busy computer can make a path seem many times slower or faster than it is. */
export class RepeatedMeasurement {
  readonly #measurements: MeasuredPath[] = [];

  get count(): number {
    return this.#measurements.length;
  }

  /** Whether two measurements agree, or there are as many as are ever made. */
  get isBelieved(): boolean {
    if (this.count >= mostMeasurements) return true;
    return this.count > 1 && this.#agrees('downMbps') && this.#agrees('upMbps');
  }

  add(measured: MeasuredPath): void {
    this.#measurements.push(measured);
  }

  /** The least round trip, and of each rate the middle one, or the mean of the two in the middle. */
  figures(): MeasuredPath {
    const roundTrips = this.#measurements.flatMap(({ rttMs }) => rttMs ?? []);
    return {
      ...(roundTrips.length === 0 ? {} : { rttMs: Math.min(...roundTrips) }),
      ...this.#middle('downMbps'),
      ...this.#middle('upMbps'),
    };
  }

  #sorted(rate: Rate): number[] {
    return this.#measurements.flatMap(measured => measured[rate] ?? []).sort((one, other) => one - other);
  }

  #agrees(rate: Rate): boolean {
    const [least = 0, most = 0] = this.#sorted(rate);
    return least >= most * agreement;
  }

  #middle(rate: Rate): MeasuredPath {
    const sorted = this.#sorted(rate);
    const lower = sorted[Math.floor((sorted.length - 1) / 2)];
    const upper = sorted[Math.floor(sorted.length / 2)];
    return lower === undefined || upper === undefined ? {} : { [rate]: (lower + upper) / 2 };
  }
}
