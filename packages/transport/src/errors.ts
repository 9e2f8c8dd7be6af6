import { ManypathError } from '@manypath/core';

/** The two ends of a connection that was to be a carrier did not come to know each other. */
export class HelloError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_HELLO', `no session can be had on this connection: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** A tunnel was broken off by its other end. */
export class TunnelResetError extends ManypathError {
  /** One of docs/SESSION.md §6. */
  readonly resetCode: number;

  constructor(resetCode: number, message: string) {
    super('MANYPATH_TUNNEL_RESET', message === '' ? 'the other end broke the connection off' : message);
    this.resetCode = resetCode;
  }
}
