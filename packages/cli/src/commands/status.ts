import { ControlClient } from '@manypath/gateway';
import type { Command } from 'commander';
import { type CommonOptions, withCommonOptions } from '../program.ts';
import { stateFolder } from '../state-folder.ts';
import { statusText } from '../terminal/status-text.ts';

/** `manypath status`: the truth about a running gateway, read over its control socket. */
export function addStatusCommand(program: Command): void {
  withCommonOptions(program.command('status'))
    .summary('paths, connections, subflows, bytes, and why something fell back')
    .description('Asks the gateway that `manypath up` or `manypath browse` started with the same --state.')
    .action(runStatus);
}

async function runStatus(options: CommonOptions): Promise<void> {
  const client = await ControlClient.connect(stateFolder(options.state));
  try {
    const status = await client.status();
    process.stdout.write(options.json ? `${JSON.stringify(status)}\n` : statusText(status));
  } finally {
    client.close();
  }
}
