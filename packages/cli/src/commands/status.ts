import { ControlClient } from '@manypath/gateway';
import type { Command } from 'commander';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { stateFolder } from '../state-folder.ts';
import { statusText } from '../terminal/status-text.ts';
import { untilSignal } from '../until-signal.ts';
import { watchInLines, watchOnScreen } from '../watch-status.ts';

interface StatusOptions extends CommonOptions {
  watch: boolean;
}

/** `manypath status`: the truth about a running gateway, read over its control socket. */
export function addStatusCommand(program: Command): void {
  withCommonOptions(program.command('status'))
    .summary('paths, connections, subflows, bytes, and why something fell back')
    .description('Asks the gateway that `manypath up` or `manypath browse` started with the same --state.')
    .option(
      '--watch',
      'show it live; q leaves. Without a terminal: a block a second, with --json a document a line',
      false,
    )
    .action(runStatus);
}

async function runStatus({ watch, json, state }: StatusOptions): Promise<void> {
  const folder = stateFolder(state);
  if (watch) return runWatch(folder, json);
  const client = await ControlClient.connect(folder);
  try {
    const status = await client.status();
    process.stdout.write(json ? `${JSON.stringify(status)}\n` : statusText(status));
  } finally {
    client.close();
  }
}

async function runWatch(folder: string, json: boolean): Promise<void> {
  const end = new AbortController();
  void untilSignal().then(() => end.abort());
  // `manypath status --watch | head` is no failure.
  process.stdout.on('error', () => end.abort());
  if (process.stdout.isTTY && !json) await watchOnScreen(folder, end.signal);
  else await watchInLines(folder, json, end.signal);
}
