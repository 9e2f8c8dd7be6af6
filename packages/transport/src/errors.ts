import { ManypathError } from '@manypath/core';

/** The two ends of a connection that was to be a carrier did not come to know each other. */
export class HelloError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_HELLO', `no session can be had on this connection: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The relay does not take this gateway, or not into this session; {@link code} is one of docs/SESSION.md §4. */
export class HelloRefusedError extends ManypathError {
  readonly refusal: number;

  constructor(refusal: number, words: string) {
    super('MANYPATH_HELLO_REFUSED', `the relay does not take this gateway: ${words}`);
    this.refusal = refusal;
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
