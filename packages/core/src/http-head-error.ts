import { ManypathError } from './errors.ts';

/** A head that must not be acted on. */
export class HttpHeadError extends ManypathError {
  /** What a server answers to it: 400, 414, 431, 501 or 505. */
  readonly status: 400 | 414 | 431 | 501 | 505;

  constructor(status: HttpHeadError['status'], reason: string) {
    const tooLarge = status === 414 || status === 431;
    super(
      tooLarge ? 'MANYPATH_HTTP_HEAD_TOO_LARGE' : 'MANYPATH_HTTP_HEAD_INVALID',
      `bad HTTP message: ${reason}`,
    );
    this.status = status;
  }
}
