import { ManypathError } from '@manypath/core';

/** What came on a carrier is not as docs/SESSION.md says. The session ends: what both ends know of it cannot be trusted any more. */
export class SessionProtocolError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_SESSION_PROTOCOL', `the other end does not speak the session protocol: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The session is over, and all its tunnels with it, or it takes no new ones. */
export class SessionOverError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_SESSION_OVER', `the session is over: ${reason}`, cause === undefined ? {} : { cause });
  }
}

/** As many tunnels are open as may be. */
export class SessionFullError extends ManypathError {
  constructor(tunnels: number) {
    super('MANYPATH_SESSION_FULL', `${tunnels} tunnels are open in the session already`);
  }
}

/** What a tunnel is to lead to has too long a name. */
export class TunnelTargetError extends ManypathError {
  constructor(mostBytes: number) {
    super('MANYPATH_TUNNEL_TARGET', `the name of a target is longer than ${mostBytes} bytes`);
  }
}
