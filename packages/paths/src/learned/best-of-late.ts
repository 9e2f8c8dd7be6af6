/** The best of the measurements of late, as it is kept in a file. */
export interface BestOfLate {
  /** Best of the period before; `null` when there was none. */
  readonly before: number | null;
  /** Best of this period. */
  readonly best: number;
  /** When this period began, in milliseconds since 1970. */
  readonly since: number;
  /** Measurements in this period. */
  readonly count: number;
}

/** A period lasts at least so long, in milliseconds … */
const periodMs = 5 * 60_000;
/** … and has at least so many measurements. */
const periodCount = 3;

/**
 * Takes in a measurement. A better one counts at once; a worse one replaces what is old when a whole period has brought
 * nothing better. Time without measurements changes nothing: nothing was contradicted.
 *
 * @param better `Math.min` or `Math.max`
 */
export function withMeasurement(
  late: BestOfLate | undefined,
  value: number,
  at: number,
  better: (a: number, b: number) => number,
): BestOfLate {
  if (late === undefined) return { before: null, best: value, since: at, count: 1 };
  // A clock that was set back must not make a period last for years.
  const lasted = Math.abs(at - late.since);
  if (lasted >= periodMs && late.count >= periodCount) {
    return { before: late.best, best: value, since: at, count: 1 };
  }
  return { ...late, best: better(late.best, value), count: late.count + 1 };
}

/** The best of this period and the one before. */
export function bestOf({ before, best }: BestOfLate, better: (a: number, b: number) => number): number {
  return before === null ? best : better(before, best);
}

/** Reads what a file holds; `undefined` when it is something else. */
export function readBestOfLate(value: unknown): BestOfLate | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { before, best, since, count } = value as Record<string, unknown>;
  if (!isPositive(best) || !isPositive(since) || !isPositive(count)) return undefined;
  return { before: isPositive(before) ? before : null, best, since, count };
}

/** Whether it can be a measurement. */
export function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}
