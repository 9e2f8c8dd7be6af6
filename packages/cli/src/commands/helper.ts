import { helperSocketPath, PrivilegedHelper } from '@manypath/paths';
import type { Command } from 'commander';
import { BackgroundFailures } from '../background-failures.ts';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { stateFolder } from '../state-folder.ts';
import { EventOutput } from '../terminal/events.ts';
import { createLogger } from '../terminal/log.ts';
import { untilSignal } from '../until-signal.ts';
import { callerOfSudo, collectUser } from '../users.ts';

interface HelperCommandOptions extends CommonOptions {
  socket: string;
  user: number[];
  untilStdinCloses: boolean;
}

/** `manypath helper`: the one part that needs rights, so that nothing else does. */
export function addHelperCommand(program: Command): void {
  withCommonOptions(program.command('helper'))
    .summary('run the privileged helper, so that everything else runs as you')
    .description(
      'Sets up paths and steers connections for the users it serves, and does nothing else. Needs\n' +
        'CAP_NET_ADMIN and root in /proc/sys/net/mptcp; the gateway and the browser then need nothing:\n' +
        '  sudo manypath helper &\n' +
        '  manypath browse\n' +
        'To have systemd start it whenever it is asked for:\n' +
        '  sudo manypath install --helper',
    )
    .option('--socket <path>', 'where to listen', helperSocketPath)
    .option(
      '--user <name or number>',
      'a user to serve, besides root and whoever called sudo; may be repeated',
      collectUser,
      callerOfSudo(),
    )
    .option(
      '--until-stdin-closes',
      'end when standard input does: for a program that starts the helper for itself',
      false,
    )
    .action(runHelper);
}

async function runHelper(options: HelperCommandOptions): Promise<void> {
  const ended = options.untilStdinCloses ? untilStdinCloses() : untilSignal();
  const logger = createLogger(options.logLevel, options.json);
  const failures = BackgroundFailures.watch(logger);
  const listen = inheritedSocket() ?? options.socket;
  const stateDir = stateFolder(options.state);
  const helper = await PrivilegedHelper.start({ listen, users: options.user, stateDir, logger });
  failures.beforeEnd(() => helper.close());
  const events = new EventOutput(options.json);
  events.emit({ event: 'ready', socket: options.socket, users: options.user });
  if (!events.enabled) {
    const users = ['root', ...options.user.map(user => `user ${user}`)].join(' and ');
    process.stdout.write(`Helper at ${options.socket}, serving ${users}.\n`);
  }
  await ended;
  await helper.close();
}

/** ctrl-C in the terminal is for whoever started this: it ends first, and takes its paths out through the helper. */
function untilStdinCloses(): Promise<void> {
  process.on('SIGINT', () => {});
  return new Promise(resolve => {
    process.once('SIGTERM', () => resolve());
    process.stdin.once('end', () => resolve()).once('error', () => resolve());
    process.stdin.resume();
  });
}

/** A socket that systemd listens on and hands over (sd_listen_fds(3)). */
function inheritedSocket(): { fd: number } | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  return Number(pid) === process.pid && Number(count) === 1 ? { fd: 3 } : undefined;
}
