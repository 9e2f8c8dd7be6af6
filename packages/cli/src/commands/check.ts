import { parseAuthority } from '@manypath/core';
import type { Command } from 'commander';
import { checkOrigin } from '../check/check-origin.ts';
import { checkText } from '../check/check-text.ts';
import { exitCodes } from '../terminal/failure.ts';
import { untilSignal } from '../until-signal.ts';

/** `manypath check`: whether a server speaks Multipath TCP, seen from every path of this host. */
export function addCheckCommand(program: Command): void {
  program
    .command('check')
    .summary('whether a server speaks Multipath TCP, over each of your paths')
    .description(
      'Connects to HOST over every path and tells what came of it: whether the\n' +
        'connection is Multipath TCP, its round trip, why it fell back, and whether\n' +
        'another path can join it (tried as root; as a user, only what the kernel does\n' +
        'by itself is seen). Settings are not changed.\n' +
        `Exit code: 0 when the server was reached, ${exitCodes.unavailable} when no path leads there.`,
    )
    .argument('<host[:port]>', 'the server; port 443 unless told otherwise')
    .option('--json', 'print one JSON object', false)
    .action(runCheck);
}

async function runCheck(place: string, options: { json: boolean }): Promise<void> {
  const target = parseAuthority(place, 443);
  const stop = new AbortController();
  void untilSignal().then(() => stop.abort());
  const check = await unlessAborted(checkOrigin(target, stop.signal), stop.signal);
  if (check === undefined) {
    process.exitCode = exitCodes.interrupted;
    return;
  }
  process.stdout.write(options.json ? `${JSON.stringify(check)}\n` : checkText(check));
  if (check.paths.every(({ address }) => address === null)) process.exitCode = exitCodes.unavailable;
}

/** @returns `undefined` when it was broken off. */
async function unlessAborted<T>(outcome: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await outcome;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}
