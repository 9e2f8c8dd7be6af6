import { formatAuthority, parsePairing } from '@manypath/core';
import type { Command } from 'commander';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { configPlace, loadConfig } from '../config/index.ts';
import {
  forgetPairing,
  keepPairing,
  keptPairing,
  NoPairingError,
  readPairingFrom,
} from '../pairing/index.ts';
import { stateFolder } from '../state-folder.ts';
import { EventOutput } from '../terminal/events.ts';
import { sayToPeople } from '../terminal/log.ts';
import { withOwnCommand } from '../terminal/own-command.ts';
import { askHidden } from '../terminal/prompt.ts';

interface PairOptions extends CommonOptions {
  show: boolean;
  forget: boolean;
}

/** `manypath pair`: keeps which relay to use, and its secret, out of command lines. */
export function addPairCommand(program: Command): void {
  withCommonOptions(program.command('pair'))
    .summary('keep which relay to use from now on')
    .description(
      'Run it and paste the line that `manypath relay` printed; it is kept in the state folder,\n' +
        'readable by you alone. `browse`, `up` and `doctor` then use that relay without --relay.\n' +
        'With - the line is read from standard input.',
    )
    .argument('[url]', 'the pairing URL, or -; better left out: an argument stays in the history')
    .option('--show', 'tell which relay is kept, without its secret', false)
    .option('--forget', 'remove what is kept', false)
    .action(runPair);
}

async function runPair(url: string | undefined, options: PairOptions, command: Command): Promise<void> {
  if ([url !== undefined, options.show, options.forget].filter(Boolean).length > 1) {
    command.error('error: give a URL, --show or --forget, and not several of them');
  }
  const stateDir = stateFolder(options.state);
  const events = new EventOutput(options.json);
  const tell = (event: string, relay: string, words: string) => {
    events.emit({ event, relay });
    if (!events.enabled) process.stdout.write(`${withOwnCommand(words)}\n`);
  };
  if (options.show || options.forget) {
    const relay = addressOf(readable(stateDir, options.forget));
    if (options.show) {
      tell('paired', relay, `Paired with ${relay}.`);
      return;
    }
    forgetPairing(stateDir);
    tell('forgotten', relay, `The pairing with ${relay} is forgotten.`);
    return;
  }
  const pairing = await given(url);
  keepPairing(stateDir, pairing);
  const relay = addressOf(pairing);
  tell('paired', relay, `Paired with ${relay}. Now run: manypath browse`);
  warnOfOthers();
}

function addressOf(pairing: string | undefined): string {
  if (pairing === undefined) throw new NoPairingError();
  return pairing === '' ? 'a relay' : formatAuthority(parsePairing(pairing).address);
}

/** What is kept; what is damaged can be forgotten as well. */
function readable(stateDir: string, evenDamaged: boolean): string | undefined {
  try {
    return keptPairing(stateDir);
  } catch (error) {
    if (evenDamaged) return '';
    throw error;
  }
}

async function given(url: string | undefined): Promise<string> {
  if (url !== undefined && url !== '-') return url;
  if (url === undefined && process.stdin.isTTY) {
    return readPairingFrom(askHidden('Paste the line that `manypath relay` printed (it is not shown):\n'));
  }
  return readPairingFrom(process.stdin);
}

/** A pairing that is kept is the last that counts. */
function warnOfOthers(): void {
  const place = configPlace(undefined);
  const overruled = [
    ...(process.env.MANYPATH_RELAY ? ['the environment variable MANYPATH_RELAY'] : []),
    ...(loadConfig(place).relay === undefined ? [] : [`"relay" in ${place.file}`]),
  ];
  for (const other of overruled) sayToPeople(`${other} goes before this pairing`);
}
