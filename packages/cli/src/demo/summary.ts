import type { DemoResult } from './runs.ts';

/** The demo in numbers; the last line of `manypath demo --json`. */
export interface DemoSummary {
  /** Goodput over one link, Mbit/s. */
  readonly singleMbps: number;
  /** Goodput over both links, Mbit/s. */
  readonly combinedMbps: number;
  readonly ratio: number;
  /** Whether every download with a fault half-way came to its end with every byte right. */
  readonly survivedCut: boolean;
  /** The longest pause in a download with a fault, in milliseconds. */
  readonly stallMs: number;
}

export function summarise(results: readonly DemoResult[]): DemoSummary {
  const rateOf = (name: string) => results.find(({ run }) => run.name === name)?.mbps ?? 0;
  const cuts = results.filter(({ run }) => run.fault !== undefined);
  const singleMbps = rateOf('one-link');
  const combinedMbps = rateOf('both-links');
  return {
    singleMbps: round(singleMbps),
    combinedMbps: round(combinedMbps),
    ratio: round(combinedMbps / singleMbps),
    survivedCut: cuts.length > 0 && cuts.every(({ exact }) => exact),
    stallMs: Math.round(Math.max(...cuts.map(({ stallMs }) => stallMs))),
  };
}

/** The summary as a person reads it. */
export function summaryText({ singleMbps, combinedMbps, ratio, survivedCut, stallMs }: DemoSummary): string {
  const survival = survivedCut
    ? `When wifi died half-way, the download went on over mobile: longest pause ${stallMs} ms,\nnothing lost. The browser noticed nothing.`
    : 'A download did NOT survive the loss of a link.';
  return (
    `\nOne link carried ${singleMbps} Mbit/s, both together ${combinedMbps} Mbit/s: ${ratio} times as much.\n` +
    `${survival}\n\nNow with your own links: README.md, "On your laptop, with your VPS".\n`
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
