import { isIP } from 'node:net';
import { type AddressScope, isPublicAddress, type Nat64Prefix, scopeThrough } from '@manypath/core';
import { LocalTargetError } from './errors.ts';
import type { Reach } from './lanes/lane.ts';
import type { LocalNames } from './local-names.ts';
import type { LocalNetworks } from './local-networks.ts';

/** What an address is refused with; `undefined` when it may be dialled. */
export type Refusal = (address: string) => Error | undefined;

export interface LocalGuardOptions {
  /**
   * Whether the clients are browsers that reach local networks by themselves: then no name that comes by the proxy may lead
   * to any address that is not public, nor an address to this machine or a network that it is on.
   */
  readonly protectLocal: boolean;
  readonly localNames: LocalNames;
  readonly localNetworks: LocalNetworks;
  /** Whether the user wrote a name into the hosts file. */
  readonly isInHosts: (name: string) => Promise<boolean>;
  /** Whether that was after the browser was started, which learns of such names only then. */
  readonly isNewInHosts: (name: string) => Promise<boolean>;
  /** How the networks of this host translate IPv6 addresses. */
  readonly translators: () => Promise<readonly Nat64Prefix[]>;
}

/**
 * Decides which addresses a straight connection may be made to, so that no name that somebody else gave (DNS rebinding) leads to
 * what only this machine can reach. Names that the user gave are believed.
 */
export class LocalGuard {
  readonly #options: LocalGuardOptions;

  constructor(options: LocalGuardOptions) {
    this.#options = options;
  }

  /**
   * @param reach What whoever asked the user says may be reached; it goes before all else.
   * @returns `undefined` when every address may be dialled.
   */
  async refusalFor(host: string, reach: Reach | undefined): Promise<Refusal | undefined> {
    const { protectLocal, localNames } = this.#options;
    if (reach === 'public') return this.#refusing(await this.#isPublic(), true);
    if (reach !== undefined || localNames.named(host)) return undefined;
    if (isIP(host) !== 0) return protectLocal ? this.#refusing(() => true, true) : undefined;
    const isInHosts = await this.#options.isInHosts(host);
    // The user wrote it; but a browser has to see that it leads to a local network, where it can.
    if (protectLocal && isInHosts && (await this.#options.isNewInHosts(host)))
      return this.#refusing(await this.#isNot(leadingNowhere), false);
    if (protectLocal && isInHosts) return this.#refusing(await this.#isNot(local), true);
    if (protectLocal) return this.#refusing(await this.#isPublic(), true);
    if (isInHosts || localNames.includes(host)) return undefined;
    return this.#refusing(await this.#isNot(ofThisMachine), false);
  }

  async #isNot(scopes: ReadonlySet<AddressScope>): Promise<(address: string) => boolean> {
    const translators = await this.#options.translators();
    return address => !scopes.has(scopeThrough(address, translators));
  }

  async #isPublic(): Promise<(address: string) => boolean> {
    const translators = await this.#options.translators();
    return address => isPublicAddress(address) && scopeThrough(address, translators) === 'public';
  }

  #refusing(isAllowed: (address: string) => boolean, keepsNetworks: boolean): Refusal {
    return address =>
      isAllowed(address) && !(keepsNetworks && this.#options.localNetworks.includes(address))
        ? undefined
        : new LocalTargetError(address);
  }
}

/** What no name of the public DNS has any business with, wherever the gateway runs. */
const ofThisMachine: ReadonlySet<AddressScope> = new Set([
  'loopback',
  'unspecified',
  'link-local',
  'metadata',
] as const);

/** What no name is meant to lead to: what hosts files have for names that are to be blocked, and what no user writes. */
const leadingNowhere: ReadonlySet<AddressScope> = new Set(['unspecified', 'metadata'] as const);

/** What browsers guard from public pages. */
const local: ReadonlySet<AddressScope> = new Set([...ofThisMachine, 'private']);
