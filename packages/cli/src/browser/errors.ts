import { ManypathError } from '@manypath/core';

/** No browser was found, or the one that was asked for cannot be run. */
export class BrowserNotFoundError extends ManypathError {
  constructor(message: string) {
    super('MANYPATH_BROWSER_NOT_FOUND', message, {
      hint: 'sudo apt-get install chromium (or name a browser with --browser PATH or MANYPATH_BROWSER)',
    });
  }
}

/** The operating system would not start the browser. */
export class BrowserStartError extends ManypathError {
  constructor(path: string, cause: unknown) {
    super('MANYPATH_BROWSER_START_FAILED', `${path} could not be started`, { cause });
  }
}

/** `--profile` names a profile, not a path. */
export class ProfileNameError extends ManypathError {
  constructor(name: string) {
    super('MANYPATH_PROFILE_NAME_INVALID', `"${name}" cannot be the name of a profile`, {
      hint: 'use letters, digits, dot, dash and underscore, at most 64; for a folder of your own: -- --user-data-dir=DIR',
    });
  }
}

/** A `--local-name` that is no host name and no `*.suffix`. */
export class LocalNameError extends ManypathError {
  constructor(pattern: string) {
    super('MANYPATH_LOCAL_NAME_INVALID', `"${pattern}" is no host name and no pattern like *.example.com`, {
      hint: 'name one host (nas.example.com) or everything below a domain (*.example.com)',
    });
  }
}

/** The port on which the browser is to take orders cannot be had. */
export class DebuggingPortError extends ManypathError {
  constructor(place: string, cause: unknown) {
    super('MANYPATH_DEBUGGING_PORT_FAILED', `the browser cannot be driven on ${place}`, {
      cause,
      hint: 'choose another port, or --remote-debugging-port=0 for any; the browser tells which',
    });
  }
}

/** The system does not let us have a network namespace; the message says which step it refused. */
export class QuietNamespaceError extends ManypathError {
  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super('MANYPATH_QUIET_NAMESPACE_FAILED', message, options);
  }
}
