import { Lab } from '@manypath/lab';
import type { Command } from 'commander';
import { logLevelOption } from '../common-options.ts';
import { LiveView } from '../demo/live-view.ts';
import { type DemoResult, demoRuns, play } from '../demo/runs.ts';
import { setStage } from '../demo/stage.ts';
import { summarise, summaryText } from '../demo/summary.ts';
import { requirePrograms } from '../system-packages.ts';
import { EventOutput } from '../terminal/events.ts';
import { exitCodes } from '../terminal/failure.ts';
import { type LogLevel, sayToPeople } from '../terminal/log.ts';
import { numberFrom } from '../terminal/option-values.ts';

interface DemoOptions {
  json: boolean;
  logLevel: LogLevel;
  rate: number;
  megabytes: number;
}

/** `manypath demo`: the main job end to end on one machine. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .summary('see it work: a real Chromium downloads over two links, and one of them dies')
    .description(
      'Builds a laptop with two links, a relay and a web server that does not speak MPTCP out of network\n' +
        'namespaces, opens a headless Chromium there, and downloads over one link, over both, and over both\n' +
        'with the first one losing its address, or going silently dead, half-way.',
    )
    .option('--rate <mbit>', 'rate of each link in Mbit/s', numberFrom(1, 10_000), 30)
    .option('--megabytes <n>', 'size of each download', numberFrom(1, 10_000), 32)
    .option('--json', 'print one JSON object a line on stdout', false)
    .addOption(logLevelOption())
    .action(runDemo);
}

async function runDemo({ json, rate, megabytes, logLevel }: DemoOptions): Promise<void> {
  await requirePrograms(['chromium', 'ip', 'tc', 'nft', 'unshare', 'setpriv']);
  await Lab.requireOrReenter();
  const events = new EventOutput(json);
  const out = json ? process.stderr : process.stdout;
  const interruption = new AbortController();
  const { signal } = interruption;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => interruption.abort());
  try {
    await using stage = await setStage({ rateMbit: rate, logLevel, say: sayToPeople, signal });
    // A run whose stage is taken away may wait for ever.
    signal.addEventListener('abort', () => {
      const exit = () => process.exit(exitCodes.interrupted);
      void stage[Symbol.asyncDispose]().then(exit, exit);
    });
    const view = new LiveView(out, rate);
    const results: DemoResult[] = [];
    for (const run of demoRuns) {
      view.begin(run);
      const result = await play(stage, run, megabytes * 1_000_000, view);
      view.end(result);
      results.push(result);
      const { mbps, stallMs, bytes, exact, protocol } = result;
      events.emit({ event: 'run', name: run.name, mbps, stallMs, bytes, exact, protocol });
    }
    const summary = summarise(results);
    if (!json) out.write(summaryText(summary));
    events.emit({ event: 'result', ...summary });
    process.exitCode = summary.survivedCut ? 0 : 1;
  } catch (error) {
    // What was taken away from under it.
    if (!signal.aborted) throw error;
    process.exitCode = exitCodes.interrupted;
  }
}
