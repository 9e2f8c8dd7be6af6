import { resample, sparkline } from '../terminal/sparkline.ts';
import { textColumns } from '../terminal/wrap.ts';
import type { DemoResult, DemoRun, DemoWatcher, LinkRates } from './runs.ts';
import { demoLinks } from './stage.ts';

/** What stands beside a plot: name, rate, and when the link was cut. */
const besideColumns = 40;
const widestPlot = 44;
const linesShown = demoLinks.length + 1;

/**
 * Shows both links while a download goes on: rewritten in place on a terminal, silent where output is kept.
 */
export class LiveView implements DemoWatcher {
  readonly #out: NodeJS.WriteStream;
  readonly #rateMbit: number;
  readonly #live: boolean;
  #drawn = false;

  constructor(out: NodeJS.WriteStream, rateMbit: number) {
    this.#out = out;
    this.#rateMbit = rateMbit;
    this.#live = out.isTTY === true;
  }

  begin({ title }: DemoRun): void {
    this.#out.write(`\n${title}\n`);
    this.#drawn = false;
  }

  sample(_run: DemoRun, rates: LinkRates, share: number): void {
    if (this.#live)
      this.#draw([
        ...plotLines(rates, this.#rateMbit, this.#plotColumns()),
        `  ${Math.round(share * 100)} %`,
      ]);
  }

  fault(_run: DemoRun): void {}

  end(result: DemoResult): void {
    const lines = plotLines(result.rates, this.#rateMbit, this.#plotColumns(), {
      faultAt: result.faultAt,
      rateOf: result.faultAt === undefined ? average : most,
    });
    this.#draw([...lines, outcome(result)]);
  }

  /** No line may be wider than the terminal: a line that wraps is two, and is not found again to be written over. */
  #plotColumns(): number {
    return Math.max(8, Math.min(widestPlot, (this.#out.columns || textColumns) - besideColumns));
  }

  #draw(lines: readonly string[]): void {
    // Up to the first line of the block, and clear each line before it is written again.
    if (this.#live && this.#drawn) this.#out.write(`\x1b[${linesShown}A`);
    const room = this.#live ? this.#out.columns || textColumns : Number.POSITIVE_INFINITY;
    for (const line of lines.map(whole => whole.slice(0, room))) {
      this.#out.write(this.#live ? `\x1b[2K${line}\n` : `${line}\n`);
    }
    this.#drawn = true;
  }
}

/** A line of each link: its name, its rate over time, and one rate that stands for it. */
function plotLines(
  rates: LinkRates,
  rateMbit: number,
  columns: number,
  {
    faultAt,
    rateOf = last,
  }: { faultAt?: number | undefined; rateOf?: (series: readonly number[]) => number } = {},
): string[] {
  return demoLinks.map(link => {
    const series = rates[link];
    const plot = sparkline(resample(series, columns), rateMbit).padEnd(columns);
    const mark = link === 'wifi' && faultAt !== undefined ? `  cut after ${(faultAt / 4).toFixed(1)} s` : '';
    const shown = rateOf(series);
    return `  ${link.padEnd(6)} ${plot} ${shown.toFixed(0).padStart(3)} Mbit/s${mark}`;
  });
}

const last = (series: readonly number[]): number => series.at(-1) ?? 0;
const most = (series: readonly number[]): number => Math.max(0, ...series);

/** Without the last sample, in which the download ended. */
function average(series: readonly number[]): number {
  const whole = series.slice(0, -1);
  return whole.reduce((sum, rate) => sum + rate, 0) / Math.max(1, whole.length);
}

function outcome({ mbps, stallMs, exact, protocol, bytes }: DemoResult): string {
  const whole = exact ? 'every byte right' : 'DAMAGED';
  const size = `${(bytes / 1e6).toFixed(0)} MB`;
  return `  ${mbps.toFixed(1)} Mbit/s, ${size} over ${protocol}, longest pause ${Math.round(stallMs)} ms, ${whole}`;
}
