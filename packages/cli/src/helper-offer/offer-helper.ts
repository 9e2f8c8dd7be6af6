import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { replaceFile } from '@manypath/files';
import { hasEndpoint, readHeldSettings } from '../held-settings.ts';
import { isHelperThere, mayChangeKernel } from '../kernel-rights.ts';
import { isOnPath } from '../system-packages.ts';
import { askPerson } from '../terminal/ask-person.ts';
import { withOwnCommand } from '../terminal/own-command.ts';
import { wrapText } from '../terminal/wrap.ts';
import { installHelper, startHelper } from './start-helper.ts';

/** To whom the helper is offered. */
export interface HelperOfferOptions {
  /** Where it is kept that somebody said no. */
  readonly stateDir: string;
  /** Whether the command prints for scripts: nobody is asked then. */
  readonly json: boolean;
}

/** In the state folder: this person does not want to be asked again. */
const refusalFile = 'no-helper';

const question =
  'You have several paths, but an ordinary user may not set them up, so that a connection uses one of them at a time. ' +
  'A helper with the rights of an administrator can: it adds routes, rules and MPTCP endpoints for your links, takes ' +
  'them out again at the end, and does nothing else.';

/**
 * Offers a person at a terminal to start the privileged helper, where without it only one path would be used. Started so it
 * ends with this process. Whoever says no is not asked again.
 *
 * @throws HelperStartError `MANYPATH_HELPER_NOT_STARTED`, after a yes
 */
export async function offerHelper({ stateDir, json }: HelperOfferOptions): Promise<void> {
  if (json || !process.stdin.isTTY || !process.stderr.isTTY) return;
  const refusal = join(stateDir, refusalFile);
  const program = ['sudo', 'pkexec'].find(isOnPath);
  if (program === undefined || existsSync(refusal) || mayChangeKernel() || !hasPathsToSetUp()) return;
  if (await isHelperThere()) return;
  process.stderr.write(`${wrapText(question).join('\n')}\n`);
  switch (await askPerson(`Start it with ${program}? [Y]es, [a]lways (installs it), [n]o: `)) {
    case 'yes':
      return startHelper(program);
    case 'always':
      await installHelper(program);
      // Where systemd does not run, nobody starts what was installed.
      return (await isHelperThere()) ? undefined : startHelper(program);
    case 'no':
      rememberRefusal(refusal);
      process.stderr.write(`${withOwnCommand('At any other time: sudo manypath install --helper')}\n`);
  }
}

/** Where it cannot be kept, the same is asked at the next start. */
function rememberRefusal(file: string): void {
  try {
    replaceFile(file, '');
  } catch {
    // A full disk is told of by whatever needs it.
  }
}

/** Several that nobody has set up: those of a program that manages networks and makes endpoints are left to it. */
function hasPathsToSetUp(): boolean {
  try {
    const held = readHeldSettings();
    return held.paths.length > 1 && held.paths.filter(path => hasEndpoint(path, held)).length < 2;
  } catch {
    return false;
  }
}
