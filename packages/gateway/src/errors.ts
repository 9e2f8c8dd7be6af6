import { errorMessage, ManypathError } from '@manypath/core';

/** The proxy port cannot be had. */
export class GatewayListenError extends ManypathError {
  constructor(place: string, cause: unknown) {
    super('MANYPATH_GATEWAY_LISTEN_FAILED', `cannot listen on ${place}: ${errorMessage(cause)}`, {
      cause,
      hint: 'choose another port with --listen, or stop the program that has this one',
    });
  }
}

/** A gateway with the same state folder runs already. */
export class GatewayRunningError extends ManypathError {
  constructor(stateDir: string) {
    super('MANYPATH_GATEWAY_RUNNING', `a gateway with the state folder ${stateDir} runs already`, {
      hint: 'use that one, stop it, or give this one a folder of its own with --state',
    });
  }
}

/** Nobody answers on the control socket. */
export class GatewayNotRunningError extends ManypathError {
  constructor(stateDir: string, cause?: unknown) {
    super('MANYPATH_GATEWAY_NOT_RUNNING', `no gateway with the state folder ${stateDir} is running`, {
      hint: 'start one with `manypath up` or `manypath browse`, or say with --state which one is meant',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The control socket cannot be made or used. */
export class ControlSocketError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_CONTROL_SOCKET', `the control socket cannot be used: ${reason}`, {
      hint: 'give a short path of a folder of your own with --state',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** A control request that nobody can answer. */
export class ControlRequestError extends ManypathError {
  constructor(reason: string) {
    super('MANYPATH_CONTROL_REQUEST', `this control request cannot be answered: ${reason}`);
  }
}

/** The gateway answered a control request with an error. Its code is that of the gateway's error. */
export class ControlReplyError extends ManypathError {}

/** The gateway is ending. */
export class GatewayClosedError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 503;

  constructor() {
    super('MANYPATH_GATEWAY_CLOSED', 'the gateway is ending');
  }
}

/** There is no room for another client. */
export class TooManyConnectionsError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 503;

  constructor(most: number) {
    super('MANYPATH_TOO_MANY_CONNECTIONS', `${most} connections are open, and no more are taken`, {
      hint: 'close some, or raise the limit `connections`',
    });
  }
}

/** Another user of this machine tried to use the proxy. */
export class ForeignUserError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 403;

  constructor() {
    super('MANYPATH_FOREIGN_USER', 'this proxy serves only the user who started it', {
      hint: 'start a gateway of your own',
    });
  }
}

/** A client did not finish its request in time. */
export class ClientTooSlowError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 408;

  constructor(milliseconds: number) {
    super('MANYPATH_CLIENT_TOO_SLOW', `the request was not complete after ${milliseconds / 1000} s`);
  }
}

/** A client ended before its request was complete. */
export class ClientGoneError extends ManypathError {
  constructor() {
    super('MANYPATH_CLIENT_GONE', 'the client closed the connection before its request was complete');
  }
}

/** Somebody speaks to the proxy port as if it were a web server. */
export class NotAProxyRequestError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 400;

  constructor(reason: string) {
    super('MANYPATH_NOT_A_PROXY_REQUEST', reason, {
      hint: 'set this address as the HTTP or SOCKS5 proxy of the program',
    });
  }
}

/** A name or address that came through the proxy leads to this machine or its local network. */
export class LocalTargetError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 403;

  constructor(address: string) {
    super(
      'MANYPATH_LOCAL_TARGET',
      `${address} is of this machine or its local network, and the browser did not know that`,
      { hint: 'if the name is one of yours, name it with --local-name, then the browser connects itself' },
    );
  }
}

/** No lane leads to the relay now. */
export class RelayAwayError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 502;

  constructor(address: string, reason: string, cause?: unknown) {
    super('MANYPATH_RELAY_AWAY', `the relay ${address} cannot be reached: ${reason}`, {
      hint: 'see that the relay runs and that its port is open; it is tried again all the time',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The relay is there and does not want this gateway. */
export class RelayRefusedError extends ManypathError {
  /** The HTTP status it is answered with; 407 would make a browser ask for a password. */
  readonly status = 502;

  constructor(address: string, reason: string) {
    super('MANYPATH_RELAY_REFUSED', `the relay ${address} refuses this gateway: ${reason}`, {
      hint: 'pair again: give the pairing URL that `manypath relay` prints now',
    });
  }
}

/** Whoever answers at the relay's address is not the relay that was paired with. */
export class RelayUntrustedError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 502;

  constructor(address: string, reason: string, cause?: unknown) {
    super('MANYPATH_RELAY_UNTRUSTED', `${address} is not the relay that was paired with: ${reason}`, {
      hint: 'pair again if the relay got a new key; otherwise somebody stands in between',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The relay did not connect to the target. */
export class RelayTargetError extends ManypathError {
  /** What the relay answered: 403 when it must not, 502 when it could not, 503 when it is full, 504 when it took too long. */
  readonly status: number;

  constructor(status: number, reason: string) {
    super('MANYPATH_RELAY_TARGET', `the relay did not connect to the target: ${reason}`, {
      ...(status === 403 ? { hint: 'a relay dials private addresses only with --allow-private' } : {}),
    });
    this.status = status;
  }
}

/** A lane broke before the relay had answered. */
export class LaneLostError extends ManypathError {
  /** The HTTP status it is answered with. */
  readonly status = 502;

  constructor(cause?: unknown) {
    super('MANYPATH_LANE_LOST', 'the connection to the relay broke', cause === undefined ? {} : { cause });
  }
}
