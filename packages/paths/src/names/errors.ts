import { ManypathError } from '@manypath/core';

/** A name server gave no usable answer (`MANYPATH_NAME_LOOKUP_FAILED`). */
export class DnsAnswerError extends ManypathError {
  constructor(name: string, reason: string, cause?: unknown) {
    super('MANYPATH_NAME_LOOKUP_FAILED', `Could not look up ${name}: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
      hint: 'See which name servers `resolvectl status` or /etc/resolv.conf names, and whether they answer.',
    });
  }
}

/** The name servers say that there is no such name, or no address for it (`MANYPATH_NAME_UNKNOWN`). */
export class NameUnknownError extends ManypathError {
  /** Seconds for which that may be remembered. */
  readonly ttlSeconds: number | undefined;

  constructor(name: string, ttlSeconds?: number) {
    super('MANYPATH_NAME_UNKNOWN', `There is no address for ${name}`, {
      hint: 'Check the spelling of the name.',
    });
    this.ttlSeconds = ttlSeconds;
  }
}
