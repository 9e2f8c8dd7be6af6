import { ManypathError, type ManypathErrorOptions } from '@manypath/core';

/** A program of the system that the lab calls is not installed. */
export class LabToolMissingError extends ManypathError {
  constructor(tool: string, debianPackage: string, purpose: string) {
    super('MANYPATH_LAB_TOOL_MISSING', `The lab needs \`${tool}\` ${purpose}, and it is not installed.`, {
      hint: `On Debian or Ubuntu: apt install ${debianPackage}`,
    });
  }
}

const allowNamespaces =
  'Run it as root, or allow unprivileged user namespaces (sysctl user.max_user_namespaces, and on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0).';

/** This process may not make network namespaces. */
export class LabNotPermittedError extends ManypathError {
  constructor(message: string, { cause, hint = allowNamespaces }: ManypathErrorOptions = {}) {
    super('MANYPATH_LAB_NOT_PERMITTED', message, { cause, hint });
  }
}

/** What a command that failed left behind. */
export interface CommandFailure {
  argv: readonly string[];
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A command ended with another exit code than 0: one of the lab's own, or one given to `exec`. */
export class LabCommandError extends ManypathError {
  readonly failure: CommandFailure;

  constructor(failure: CommandFailure) {
    const end = failure.signal === null ? `exit code ${failure.code}` : failure.signal;
    const said = (failure.stderr.trim() || failure.stdout.trim()).slice(0, 2000);
    super(
      'MANYPATH_LAB_COMMAND_FAILED',
      `\`${failure.argv.join(' ')}\` ended with ${end}${said === '' ? '' : `: ${said}`}`,
    );
    this.failure = failure;
  }
}

/** A command given to `exec` took longer than its `timeoutMs`. */
export class LabTimeoutError extends ManypathError {
  readonly failure: CommandFailure;

  constructor(failure: CommandFailure, timeoutMs: number) {
    super('MANYPATH_LAB_TIMEOUT', `\`${failure.argv.join(' ')}\` was killed after ${timeoutMs} ms`);
    this.failure = failure;
  }
}

const missingHints = {
  lab: 'build one: manypath lab up',
  link: 'a lab gets its links when it is built: manypath lab up --links a=30,b=30',
  namespace: 'build a lab first: manypath lab up',
} as const;

/** There is no lab, link or namespace of this name. */
export class LabUnknownError extends ManypathError {
  constructor(what: 'lab' | 'link' | 'namespace', name: string, known: readonly string[]) {
    super('MANYPATH_LAB_UNKNOWN', `There is no ${what} "${name}" here.`, {
      hint:
        known.length === 0
          ? missingHints[what]
          : `${known.length === 1 ? 'there is' : 'there are'} ${known.join(', ')}${what === 'lab' ? ': say which with --name' : ''}`,
    });
  }
}

/** A lab or link of this name exists already. */
export class LabNameTakenError extends ManypathError {
  constructor(what: 'lab' | 'link' | 'device', name: string) {
    super('MANYPATH_LAB_NAME_TAKEN', `A ${what} named "${name}" exists already.`, {
      hint: what === 'lab' ? `Take it down first: manypath lab down ${name}` : 'Choose another name.',
    });
  }
}

/** An option cannot be taken as it is. */
export class LabOptionError extends ManypathError {
  constructor(message: string, options: ManypathErrorOptions = {}) {
    super('MANYPATH_LAB_OPTION_INVALID', message, options);
  }
}

/** Nothing on this machine can delay or lose packets. */
export class LabDelayUnavailableError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_LAB_DELAY_UNAVAILABLE', `This machine cannot delay packets: ${reason}`, {
      cause,
      hint: 'Load netem (modprobe sch_netem): then the kernel delays packets and no process has to.',
    });
  }
}

/** A program of the lab itself is missing, because the workspace was not compiled. */
export class LabNotBuiltError extends ManypathError {
  constructor(entry: string) {
    super('MANYPATH_LAB_NOT_BUILT', `The lab's program "${entry}" is not compiled.`, {
      hint: 'Run: npm run build',
    });
  }
}
