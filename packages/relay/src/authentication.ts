import { createHash } from 'node:crypto';
import {
  type Clock,
  equalBytes,
  type HeaderField,
  headerValue,
  parseBasicCredentials,
  relayUser,
  systemClock,
} from '@manypath/core';
import { ProxyRefusal } from '@manypath/forward';
import type { RelayLimits } from './limits.ts';

/** The client has not proved that it is paired. */
export class NotPairedError extends ProxyRefusal {
  constructor() {
    super(407, 'MANYPATH_RELAY_NOT_PAIRED', 'the secret of this relay is missing or wrong', {
      hint: `use the pairing URL that the relay prints, or user ${relayUser} with the secret as password`,
      headers: [['Proxy-Authenticate', 'Basic realm="manypath", charset="UTF-8"']],
    });
  }
}

/**
 * Checks `Proxy-Authorization: Basic`. The comparison takes the same time for every wrong secret, and the answers to
 * wrong ones are held back, longer with each one from the same address.
 */
export class Authentication {
  readonly #expected: Uint8Array;
  readonly #limits: RelayLimits;
  readonly #clock: Clock;
  /** Failures by client address, the oldest first. */
  readonly #failures = new Map<string, number>();

  constructor(secret: string, limits: RelayLimits, clock: Clock = systemClock) {
    this.#expected = digest(`${relayUser}:${secret}`);
    this.#limits = limits;
    this.#clock = clock;
  }

  /** @throws NotPairedError `MANYPATH_RELAY_NOT_PAIRED`, after a delay */
  async check(headers: readonly HeaderField[], clientAddress: string): Promise<void> {
    const field = headerValue(headers, 'proxy-authorization');
    const credentials = parseBasicCredentials(field);
    const given = digest(credentials === undefined ? '' : `${credentials.user}:${credentials.password}`);
    if (equalBytes(given, this.#expected)) {
      this.#failures.delete(clientAddress);
      return;
    }
    // A request without credentials is how programs ask which kind is wanted: that is no attempt at guessing.
    if (field !== undefined) await this.#holdBack(clientAddress);
    throw new NotPairedError();
  }

  #holdBack(clientAddress: string): Promise<void> {
    const failures = (this.#failures.get(clientAddress) ?? 0) + 1;
    this.#failures.delete(clientAddress);
    this.#failures.set(clientAddress, failures);
    if (this.#failures.size > this.#limits.rememberedAddresses) {
      for (const oldest of this.#failures.keys()) {
        this.#failures.delete(oldest);
        break;
      }
    }
    const { firstRefusalDelayMs, longestRefusalDelayMs } = this.#limits;
    const delay = Math.min(longestRefusalDelayMs, firstRefusalDelayMs * 2 ** Math.min(failures - 1, 20));
    return new Promise(resolve => this.#clock.after(delay, resolve));
  }
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
