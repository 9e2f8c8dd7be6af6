import { resample, sparkline } from '../terminal/sparkline.ts';
import type { DemoResult, DemoRun, DemoWatcher, LinkRates } from './runs.ts';
import { demoLinks } from './stage.ts';

const plotColumns = 44;
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
    if (this.#live) this.#draw([...plotLines(rates, this.#rateMbit), `  ${Math.round(share * 100)} %`]);
  }

  fault(_run: DemoRun): void {}

  end(result: DemoResult): void {
    this.#draw([...plotLines(result.rates, this.#rateMbit, result.faultAt), outcome(result)]);
  }

  #draw(lines: readonly string[]): void {
    // Up to the first line of the block, and clear each line before it is written again.
    if (this.#live && this.#drawn) this.#out.write(`\x1b[${linesShown}A`);
    for (const line of lines) this.#out.write(this.#live ? `\x1b[2K${line}\n` : `${line}\n`);
    this.#drawn = true;
  }
}

/** A line of each link: its name, its rate over time, its rate now or on the average. */
function plotLines(rates: LinkRates, rateMbit: number, faultAt?: number): string[] {
  return demoLinks.map(link => {
    const series = rates[link];
    const plot = sparkline(resample(series, plotColumns), rateMbit).padEnd(plotColumns);
    const mark = link === 'wifi' && faultAt !== undefined ? `  cut after ${(faultAt / 4).toFixed(1)} s` : '';
    const shown = faultAt === undefined ? (series.at(-1) ?? 0) : Math.max(0, ...series);
    return `  ${link.padEnd(6)} ${plot} ${shown.toFixed(0).padStart(3)} Mbit/s${mark}`;
  });
}

function outcome({ mbps, stallMs, exact, protocol, bytes }: DemoResult): string {
  const whole = exact ? 'every byte right' : 'DAMAGED';
  const size = `${(bytes / 1e6).toFixed(0)} MB`;
  return `  ${mbps.toFixed(1)} Mbit/s, ${size} over ${protocol}, longest pause ${Math.round(stallMs)} ms, ${whole}`;
}
