import { ManypathError } from '@manypath/core';
import type { FaultKind } from '@manypath/lab';
import { patternSha256 } from '@manypath/lab';
import { downloadedSoFar, downloadInPage } from './page-download.ts';
import { type DemoLink, demoLinks, type Stage } from './stage.ts';

/** One download of the demo. */
export interface DemoRun {
  readonly name: 'one-link' | 'both-links' | 'address-lost' | 'silently-dead';
  readonly title: string;
  /** Links that are cut before the download begins. */
  readonly without: readonly DemoLink[];
  /** What happens to the first link half-way. */
  readonly fault?: FaultKind;
}

export const demoRuns: readonly DemoRun[] = [
  { name: 'one-link', title: 'one link', without: ['mobile'] },
  { name: 'both-links', title: 'both links', without: [] },
  { name: 'address-lost', title: 'wifi loses its address half-way', without: [], fault: 'address' },
  { name: 'silently-dead', title: 'wifi goes silently dead half-way', without: [], fault: 'blackhole' },
];

/** The rates of each link over a download, in Mbit/s, one value every {@link sampleMs}. */
export type LinkRates = Record<DemoLink, number[]>;

/** What came of a run. */
export interface DemoResult {
  readonly run: DemoRun;
  readonly mbps: number;
  readonly stallMs: number;
  readonly bytes: number;
  /** Whether every byte was the one the origin has. */
  readonly exact: boolean;
  readonly protocol: string;
  readonly rates: LinkRates;
  /** Index of the sample in which the fault came. */
  readonly faultAt: number | undefined;
}

/** Told while a run goes on. */
export interface DemoWatcher {
  sample(run: DemoRun, rates: LinkRates, share: number): void;
  fault(run: DemoRun): void;
}

/** How often rates are sampled, in milliseconds. */
export const sampleMs = 250;
const settleMs = 15_000;

/** The paths did not become what a run needs. */
export class DemoNotReadyError extends ManypathError {
  constructor(wanted: number) {
    super('MANYPATH_DEMO_NOT_READY', `the connection to the relay did not get ${wanted} paths in time`);
  }
}

/** Downloads once, with the run's fault half-way, and heals all links afterwards. */
export async function play(
  stage: Stage,
  run: DemoRun,
  bytes: number,
  watcher: DemoWatcher,
): Promise<DemoResult> {
  for (const link of run.without) await stage.lab.cut(link, 'carrier');
  await pathsInUse(stage, demoLinks.length - run.without.length);
  const meter = new LinkMeter(stage);
  let faultAt: number | undefined;
  let ended = false;
  const download = downloadInPage(stage, `/bytes/${bytes}`).finally(() => {
    ended = true;
  });
  const watching = (async () => {
    while (!ended) {
      await pause(sampleMs);
      const rates = meter.sample();
      const share = ended ? 1 : (await downloadedSoFar(stage)) / bytes;
      if (run.fault !== undefined && faultAt === undefined && share >= 0.5 && !ended) {
        faultAt = rates.wifi.length;
        await stage.lab.cut('wifi', run.fault);
        watcher.fault(run);
      }
      watcher.sample(run, rates, share);
    }
  })();
  const [{ milliseconds, stallMs, sha256, protocol, ...rest }] = await Promise.all([download, watching]);
  for (const link of demoLinks) await stage.lab.heal(link);
  return {
    run,
    mbps: (rest.bytes * 8) / milliseconds / 1000,
    stallMs,
    bytes: rest.bytes,
    exact: rest.bytes === bytes && sha256 === (await patternSha256(bytes)),
    protocol,
    rates: meter.rates,
    faultAt,
  };
}

/** Waits until the connections to the relay run over so many paths. */
async function pathsInUse({ control }: Stage, wanted: number): Promise<void> {
  const giveUpAt = Date.now() + settleMs;
  while (Date.now() < giveUpAt) {
    const lanes = (await control.status()).relay?.lanes ?? [];
    const ready = lanes.filter(({ state }) => state === 'ready');
    if (ready.length > 0 && ready.every(({ subflows }) => subflows.length === wanted)) return;
    await pause(100);
  }
  throw new DemoNotReadyError(wanted);
}

/** Turns the byte counters of the links into rates. */
class LinkMeter {
  readonly rates: LinkRates = { wifi: [], mobile: [] };
  readonly #stage: Stage;
  #before: Record<DemoLink, number>;
  #at = performance.now();

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#before = this.#count();
  }

  sample(): LinkRates {
    const now = performance.now();
    const counts = this.#count();
    const seconds = (now - this.#at) / 1000;
    for (const link of demoLinks) {
      this.rates[link].push(((counts[link] - this.#before[link]) * 8) / seconds / 1e6);
    }
    this.#before = counts;
    this.#at = now;
    return this.rates;
  }

  #count(): Record<DemoLink, number> {
    const { lab } = this.#stage;
    return { wifi: lab.counters('wifi').toClient, mobile: lab.counters('mobile').toClient };
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds));
}
