import { ManypathError } from '@manypath/core';

/** What came on a carrier is not as docs/SESSION.md says. The carrier is closed; its session goes on over others. */
export class SessionProtocolError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_SESSION_PROTOCOL', `the other end does not speak the session protocol: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The session is over, and all its tunnels with it. */
export class SessionOverError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_SESSION_OVER', `the session is over: ${reason}`, cause === undefined ? {} : { cause });
  }
}
