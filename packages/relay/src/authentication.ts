import { createHash, timingSafeEqual } from 'node:crypto';
import {
  type Clock,
  type HeaderField,
  headerValue,
  parseBasicCredentials,
  relayUser,
  systemClock,
} from '@manypath/core';
import { ProxyRefusal } from '@manypath/forward';
import type { RelayLimits } from './limits.ts';
import { peerKey } from './peer-address.ts';

/** The client has not proved that it is paired (407 `MANYPATH_RELAY_NOT_PAIRED`). */
export class NotPairedError extends ProxyRefusal {
  constructor() {
    super(407, 'MANYPATH_RELAY_NOT_PAIRED', 'the secret of this relay is missing or wrong', {
      hint: `use the pairing URL that the relay prints, or user ${relayUser} with the secret as password`,
      headers: [['Proxy-Authenticate', 'Basic realm="manypath", charset="UTF-8"']],
    });
  }
}

/** Who asks, and how to get rid of them. */
export interface Asker {
  readonly remoteAddress: string | undefined;
  /** Closes the connection without an answer. */
  hangUp(): void;
}

/**
 * Checks `Proxy-Authorization: Basic`. The comparison takes the same time for every wrong secret, and the answers to
 * wrong ones are held back, longer with each one from the same address.
 */
export class Authentication {
  readonly #expected: Uint8Array;
  readonly #limits: RelayLimits;
  readonly #clock: Clock;
  /** Wrong secrets by client address, the address seen longest ago first. */
  readonly #failures = new Map<string, number>();
  readonly #onWrong: (peer: string) => void;
  #heldBack = 0;
  #refused = 0;

  /** @param onWrong Is told from where each wrong secret came. */
  constructor(
    secret: string,
    limits: RelayLimits,
    clock: Clock = systemClock,
    onWrong: (peer: string) => void = () => {},
  ) {
    this.#expected = digest(`${relayUser}:${secret}`);
    this.#limits = limits;
    this.#clock = clock;
    this.#onWrong = onWrong;
  }

  /** Requests refused so far. */
  get refused(): number {
    return this.#refused;
  }

  /** Addresses whose wrong secrets are remembered. */
  get remembered(): number {
    return this.#failures.size;
  }

  /** Answers that are being held back. */
  get heldBack(): number {
    return this.#heldBack;
  }

  /** @throws NotPairedError `MANYPATH_RELAY_NOT_PAIRED`, after a delay */
  async check(headers: readonly HeaderField[], asker: Asker): Promise<void> {
    const field = headerValue(headers, 'proxy-authorization');
    const credentials = parseBasicCredentials(field);
    const given = digest(credentials === undefined ? '' : `${credentials.user}:${credentials.password}`);
    // A request without credentials is how programs ask which kind is wanted: that is no attempt at guessing.
    await this.note(timingSafeEqual(given, this.#expected), asker, field !== undefined);
  }

  /**
   * Takes note of whether somebody showed the secret in another way.
   *
   * @param isGuess Whether a wrong one may have been a guess. Default true.
   * @throws NotPairedError `MANYPATH_RELAY_NOT_PAIRED`, after a delay
   */
  async note(isRight: boolean, asker: Asker, isGuess = true): Promise<void> {
    const peer = peerKey(asker.remoteAddress);
    if (isRight) {
      this.#failures.delete(peer);
      return;
    }
    this.#refused += 1;
    if (isGuess) await this.#holdBack(peer, asker);
    throw new NotPairedError();
  }

  async #holdBack(peer: string, asker: Asker): Promise<void> {
    this.#onWrong(peer);
    const delay = this.#delayFor(peer);
    if (this.#heldBack >= this.#limits.refusalsHeldBack) {
      asker.hangUp();
      return;
    }
    this.#heldBack += 1;
    await new Promise<void>(resolve => this.#clock.after(delay, resolve));
    this.#heldBack -= 1;
  }

  #delayFor(peer: string): number {
    const failures = (this.#failures.get(peer) ?? 0) + 1;
    this.#failures.delete(peer);
    this.#failures.set(peer, failures);
    if (this.#failures.size > this.#limits.rememberedAddresses) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
    const { firstRefusalDelayMs, longestRefusalDelayMs } = this.#limits;
    return Math.min(longestRefusalDelayMs, firstRefusalDelayMs * 2 ** Math.min(failures - 1, 20));
  }
}

/** Digests have one length, so that comparing them tells nothing about the length of the secret either. */
function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
