import type { RemoteInfo, Socket } from 'node:dgram';
import { promises as dns, type LookupAddress } from 'node:dns';
import {
  type DnsAnswer,
  DnsMessageError,
  type DnsQuery,
  dnsResponseCodes,
  dnsTypes,
  encodeDnsRefusal,
  encodeDnsResponse,
  errorCode,
  parseDnsQuery,
  parseIpAddress,
} from '@manypath/core';
import { type BrowserLimits, browserLimits } from './limits.ts';
import type { LocalNames } from './local-destinations.ts';

/** Finds all addresses of a name; fails with `ENOTFOUND` when there are none. */
export type LookupAll = (name: string) => Promise<readonly LookupAddress[]>;

type LookupLimits = Pick<BrowserLimits, 'concurrentLookups' | 'localNameTtlSeconds'>;

/** How {@link LocalNameResponder} answers. */
export interface LocalNameResponderOptions {
  /** The names that are answered; for all others the answer is REFUSED. */
  readonly names: LocalNames;
  /** Default: the host's own resolver (`getaddrinfo`: hosts file, mDNS and what else it is set up for). */
  readonly lookup?: LookupAll;
  readonly limits?: Partial<LookupLimits>;
}

const lookupOnHost: LookupAll = name => dns.lookup(name, { all: true });

/**
 * The name server of the quiet namespace. It answers for local names only, with what the host's own resolver
 * says. Names of the public DNS are none of its business: the gateway resolves those, and a page that makes
 * the browser ask for one past the proxy learns and leaks nothing.
 */
export class LocalNameResponder {
  readonly #names: LocalNames;
  readonly #lookup: LookupAll;
  readonly #limits: LookupLimits;
  /** Lookups under way, so that the A and the AAAA query of one name share one. */
  readonly #pending = new Map<string, Promise<readonly LookupAddress[]>>();

  constructor({ names, lookup = lookupOnHost, limits }: LocalNameResponderOptions) {
    this.#names = names;
    this.#lookup = lookup;
    this.#limits = { ...browserLimits, ...limits };
  }

  /** Answers the queries that arrive on a socket, until it is closed. */
  serve(socket: Socket): void {
    let closed = false;
    socket.once('close', () => {
      closed = true;
    });
    socket.on('error', () => {}); // an asker that has gone is no concern of ours
    socket.on('message', async (bytes: Uint8Array, from: RemoteInfo) => {
      const response = await this.respond(bytes);
      if (response !== undefined && !closed) socket.send(response, from.port, from.address);
    });
  }

  /** The response to one message, or `undefined` when it deserves none or too many wait. */
  async respond(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      const query = parseDnsQuery(bytes);
      const answer = await this.#answer(query);
      return answer && encodeDnsResponse(query, answer);
    } catch (error) {
      if (error instanceof DnsMessageError) return encodeDnsRefusal(error);
      throw error;
    }
  }

  async #answer({ name, type }: DnsQuery): Promise<DnsAnswer | undefined> {
    if (!this.#names.includes(name)) return { code: dnsResponseCodes.refused };
    const pending = this.#pending.get(name);
    if (pending === undefined && this.#pending.size >= this.#limits.concurrentLookups) return undefined;
    try {
      const found = await (pending ?? this.#start(name));
      const family = type === dnsTypes.a ? 4 : type === dnsTypes.aaaa ? 6 : undefined;
      const addresses = found
        .filter(address => address.family === family)
        .map(({ address }) => parseIpAddress(address)?.bytes) // nothing for one with a zone, as fe80::1%eth0
        .filter(bytes => bytes !== undefined);
      return { code: dnsResponseCodes.success, addresses, ttlSeconds: this.#limits.localNameTtlSeconds };
    } catch (error) {
      const unknown = errorCode(error) === 'ENOTFOUND';
      return { code: unknown ? dnsResponseCodes.noSuchName : dnsResponseCodes.serverFailure };
    }
  }

  #start(name: string): Promise<readonly LookupAddress[]> {
    const lookup = this.#lookup(name).finally(() => this.#pending.delete(name));
    this.#pending.set(name, lookup);
    return lookup;
  }
}
