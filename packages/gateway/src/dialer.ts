import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Authority, isPublicAddress } from '@manypath/core';
import { AddressRefusedError } from '@manypath/mptcp';
import type { Dialect } from './connection.ts';
import type { ByteCount } from './counted-stream.ts';
import { decideRoute, mayGoStraight, type Route } from './decide-route.ts';
import { LocalTargetError, RelayAwayError } from './errors.ts';
import type { Reach } from './lanes/lane.ts';
import type { RelayLink } from './lanes/relay-link.ts';
import type { LocalNames } from './local-names.ts';
import type { LocalNetworks } from './local-networks.ts';
import type { OriginMemory } from './origins/origin-memory.ts';
import type { Rules } from './rules.ts';
import type { StraightConnection, StraightDialer } from './straight-dialer.ts';

export interface DialerOptions {
  /** The relay that new connections go by now. */
  readonly relay: () => RelayLink | undefined;
  /** The same for streams of web pages, whose readers may be slow: as much may wait for them as they allow, and no more. */
  readonly relayForStreams?: () => RelayLink;
  /** What happens to new connections while the relay is away. */
  readonly failover: 'refuse' | 'straight';
  /** Whether what comes by a proxy dialect is kept from this machine and its local network. */
  readonly protectLocal: boolean;
  readonly localNames: LocalNames;
  readonly localNetworks: LocalNetworks;
  readonly rules: Rules;
  readonly origins: OriginMemory;
  readonly straight: StraightDialer;
}

export interface DialRequest {
  readonly target: Authority;
  readonly dialect: Dialect;
  readonly signal: AbortSignal;
  /** Takes the bytes for the target that are there already; they leave with the request to the relay. */
  readonly takeFirstBytes: () => Uint8Array;
  /** `public`: the target must not turn out to be of this machine or any private network. Default: as it comes. */
  readonly reach?: Reach;
}

/** A way to a target. */
export interface Dialled {
  readonly stream: Duplex;
  /** The connection out of this host that carries it. */
  readonly socket: Socket;
  readonly relay: boolean;
  /** First bytes that were taken and could not be sent: they are the caller's to send. */
  readonly unsent: Uint8Array;
  /** To be called when bytes begin to move, with the socket they move through; the answer, when that is over. */
  readonly begins: (socket: Socket, count: () => ByteCount) => () => void;
}

/** Opens ways to targets: decides the route and dials. */
export class Dialer {
  readonly #options: DialerOptions;

  constructor(options: DialerOptions) {
    this.#options = options;
  }

  /**
   * Whether the target can be taken for reachable, so that the client may send before the relay has answered. That
   * spares a connection through the relay one round trip.
   */
  isSure(target: Authority): boolean {
    const relay = this.#options.relay();
    return relay?.state === 'ready' && relay.reached(target) && this.#route(target) === 'relay';
  }

  /**
   * @throws LocalTargetError `MANYPATH_LOCAL_TARGET`
   * @throws what `RelayLink.open` throws
   * @throws what `connect` of @manypath/mptcp throws
   */
  async dial(request: DialRequest): Promise<Dialled> {
    const relay = this.#options.relay();
    const { host } = request.target;
    if (request.reach === 'public' && isIP(host) !== 0 && !isPublicAddress(host))
      throw new LocalTargetError(host);
    if (relay === undefined || this.#route(request.target) === 'straight') {
      const isByKnowledge = relay !== undefined && this.#isForRelayOtherwise(request.target);
      const dialled = this.#straight(request);
      if (!isByKnowledge) return dialled;
      try {
        return await dialled;
      } catch (error) {
        if (request.signal.aborted) throw error;
        // It spoke Multipath TCP to us once; that does not help now.
        this.#options.origins.forget(request.target);
      }
    }
    return this.#overRelay(relay, request, request.takeFirstBytes());
  }

  async #overRelay(relay: RelayLink, request: DialRequest, firstBytes: Uint8Array): Promise<Dialled> {
    const { straight, rules } = this.#options;
    const link = request.dialect === 'stream' ? (this.#options.relayForStreams?.() ?? relay) : relay;
    try {
      const { stream, socket } = await link.open(request.target, {
        signal: request.signal,
        firstBytes,
        reach: request.reach,
      });
      // Where a rule wants the relay, the target is not to see this host.
      const isByRule = rules.for(request.target.host) !== undefined;
      const begins = (_: Socket, count: () => ByteCount) => () => {
        if (!isByRule) straight.carriedByRelay(request.target, count());
      };
      return { stream, socket, relay: true, unsent: none, begins };
    } catch (error) {
      const successor = this.#options.relay();
      // The relay was replaced while this waited for a lane.
      if (error instanceof RelayAwayError && link.retired && successor !== relay) {
        if (successor !== undefined) return this.#overRelay(successor, request, firstBytes);
        return { ...(await this.#straight(request)), unsent: firstBytes };
      }
      if (!mayGoStraight(error, request.target, this.#options.failover)) throw error;
      return { ...(await this.#straight(request)), unsent: firstBytes };
    }
  }

  #route(target: Authority): Route {
    return this.#routeOf(target, this.#options.origins.speaksMultipath(target));
  }

  /** Whether it goes straight only because the target speaks Multipath TCP. */
  #isForRelayOtherwise(target: Authority): boolean {
    return this.#routeOf(target, undefined) === 'relay';
  }

  #routeOf(target: Authority, speaksMultipath: boolean | undefined): Route {
    const { localNames, localNetworks, rules } = this.#options;
    return decideRoute(target, {
      hasRelay: this.#options.relay() !== undefined,
      localNames,
      localNetworks,
      rule: rules.for(target.host),
      speaksMultipath,
    });
  }

  async #straight({ target, dialect, signal, reach }: DialRequest): Promise<Dialled> {
    const rule = this.#options.rules.for(target.host);
    const guarded =
      reach === 'public' || this.#isGuarded(target, dialect, reach)
        ? { filterAddress: (address: string) => this.#refuseLocal(address, reach) }
        : {};
    try {
      const { socket, begins } = await dialLoopbackTwice(target.host, dialect, host =>
        this.#options.straight.dial({ target: { host, port: target.port }, rule, signal, ...guarded }),
      );
      return { stream: socket, socket, relay: false, unsent: none, begins };
    } catch (error) {
      if (error instanceof AddressRefusedError && error.cause instanceof LocalTargetError) throw error.cause;
      throw error;
    }
  }

  /** Whoever says what may be reached has asked the user. */
  #isGuarded({ host }: Authority, dialect: Dialect, reach: Reach | undefined): boolean {
    const { protectLocal, localNames } = this.#options;
    return protectLocal && dialect !== 'local' && reach === undefined && !localNames.named(host);
  }

  #refuseLocal(address: string, reach: Reach | undefined): Error | undefined {
    const isPrivate = reach === 'public' && !isPublicAddress(address);
    return isPrivate || this.#options.localNetworks.includes(address)
      ? new LocalTargetError(address)
      : undefined;
  }
}

const none = new Uint8Array();
const otherLoopback: Record<string, string> = { '127.0.0.1': '::1', '::1': '127.0.0.1' };

/**
 * A browser that resolves `localhost` itself picks one loopback address, and many servers listen on the other one
 * only: what it could not reach on its own is tried there.
 */
async function dialLoopbackTwice(
  host: string,
  dialect: Dialect,
  dial: (host: string) => Promise<StraightConnection>,
): Promise<StraightConnection> {
  const other = dialect === 'local' ? otherLoopback[host] : undefined;
  if (other === undefined) return dial(host);
  try {
    return await dial(host);
  } catch (error) {
    return await dial(other).catch(() => {
      throw error;
    });
  }
}
