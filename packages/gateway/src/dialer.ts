import { isIP } from 'node:net';
import { type Authority, isPublicAddress } from '@manypath/core';
import { AddressRefusedError } from '@manypath/mptcp';
import { decideRoute, mayGoStraight, type Route } from './decide-route.ts';
import type { Dialect, DialRequest } from './dial-request.ts';
import { LocalTargetError, RelayAwayError, RelayTargetError } from './errors.ts';
import type { Reach, TunnelOptions } from './lanes/lane.ts';
import type { RelayLink } from './lanes/relay-link.ts';
import type { LocalGuard } from './local-guard.ts';
import type { LocalNames } from './local-names.ts';
import type { LocalNetworks } from './local-networks.ts';
import type { OriginMemory } from './origins/origin-memory.ts';
import type { Rules } from './rules.ts';
import type { StraightDialer } from './straight-dialer.ts';
import type { Way } from './ways/way.ts';

export interface DialerOptions {
  /** The relay that new connections go by now. */
  readonly relay: () => RelayLink | undefined;
  /** The same for streams of web pages, whose readers may be slow: as much may wait for them as they allow, and no more. */
  readonly relayForStreams?: () => RelayLink;
  /** What happens to new connections while the relay is away. */
  readonly failover: 'refuse' | 'straight';
  /** Keeps names of strangers from leading to this machine and its networks. */
  readonly guard: LocalGuard;
  readonly localNames: LocalNames;
  readonly localNetworks: LocalNetworks;
  readonly rules: Rules;
  readonly origins: OriginMemory;
  readonly straight: StraightDialer;
}

/** What goes to the relay. */
interface AskedOfRelay {
  /** The target as this machine understands its name. */
  readonly meant: Authority;
  readonly firstBytes: Uint8Array;
}

/** The same, in the words of lanes. */
class AskedTunnel implements TunnelOptions {
  readonly firstBytes: Uint8Array;
  readonly reach: Reach | undefined;
  readonly #request: DialRequest;

  constructor(request: DialRequest, firstBytes: Uint8Array) {
    this.firstBytes = firstBytes;
    this.reach = request.reach;
    this.#request = request;
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }
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
  async dial(request: DialRequest): Promise<Way> {
    const relay = this.#options.relay();
    const { host } = request.target;
    if (request.reach === 'public' && isIP(host) !== 0 && !isPublicAddress(host))
      throw new LocalTargetError(host);
    const own = relay === undefined || isIP(host) !== 0 ? none : await this.#ownAddresses(host);
    if (
      relay === undefined ||
      this.#isAwayAndReplaceable(relay, host) ||
      this.#route(request.target, own) === 'straight'
    ) {
      const isByKnowledge = relay !== undefined && this.#isForRelayOtherwise(request.target, own);
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
    // What this machine's names say is what is meant; the relay may know the name otherwise, or not at all.
    const [address = host] = this.#options.rules.for(host) === undefined ? own : [];
    const meant = { host: address, port: request.target.port };
    return this.#overRelay(relay, request, { meant, firstBytes: request.takeFirstBytes() });
  }

  /** Takes note of what the relay has carried. */
  carriedByRelay(target: Authority, way: Way): void {
    // Where a rule wants the relay, the target is not to see this host.
    if (this.#options.rules.for(target.host) === undefined)
      this.#options.straight.carriedByRelay(target, way);
  }

  async #overRelay(relay: RelayLink, request: DialRequest, asked: AskedOfRelay): Promise<Way> {
    const { meant, firstBytes } = asked;
    const link = request.dialect === 'stream' ? (this.#options.relayForStreams?.() ?? relay) : relay;
    try {
      return await link.open(meant, new AskedTunnel(request, firstBytes));
    } catch (error) {
      const successor = this.#options.relay();
      // The relay was replaced while this waited for a lane.
      if (error instanceof RelayAwayError && link.retired && successor !== relay) {
        if (successor !== undefined) return this.#overRelay(successor, request, asked);
        return this.#straightAfterAll(request, firstBytes);
      }
      if (!(await this.#mayGoStraight(error, request, meant))) throw error;
      return this.#straightAfterAll(request, firstBytes);
    }
  }

  #straightAfterAll(request: DialRequest, firstBytes: Uint8Array): Promise<Way> {
    request.putBack(firstBytes);
    return this.#straight(request);
  }

  async #mayGoStraight(error: unknown, { target, signal }: DialRequest, meant: Authority): Promise<boolean> {
    const { rules, failover, straight } = this.#options;
    // Where a rule wants the relay, nothing leaves by another way.
    const isByRule = rules.for(target.host) !== undefined;
    if (mayGoStraight(error, meant, isByRule ? 'refuse' : failover)) return true;
    if (isByRule || signal.aborted || !isNameUnknown(error) || isIP(target.host) !== 0) return false;
    // A name that only servers of this side know, and nothing told so.
    return (await straight.addressesHere(target.host)).length > 0;
  }

  /** Whether nothing is to wait for a relay that was not reached the last time. */
  #isAwayAndReplaceable({ state }: RelayLink, host: string): boolean {
    const { failover, rules } = this.#options;
    return failover === 'straight' && state === 'away' && rules.for(host) === undefined;
  }

  async #ownAddresses(host: string): Promise<readonly string[]> {
    const { straight, localNames } = this.#options;
    return localNames.includes(host) ? none : straight.ownAddresses(host);
  }

  #route(target: Authority, own: readonly string[] = none): Route {
    return this.#routeOf(target, this.#options.origins.speaksMultipath(target), own);
  }

  /** Whether it goes straight only because the target speaks Multipath TCP. */
  #isForRelayOtherwise(target: Authority, own: readonly string[]): boolean {
    return this.#routeOf(target, undefined, own) === 'relay';
  }

  #routeOf(target: Authority, speaksMultipath: boolean | undefined, own: readonly string[]): Route {
    const { localNames, localNetworks, rules } = this.#options;
    return decideRoute(target, {
      hasRelay: this.#options.relay() !== undefined,
      localNames,
      localNetworks,
      rule: rules.for(target.host),
      speaksMultipath,
      own,
    });
  }

  async #straight({ target, dialect, signal, reach }: DialRequest): Promise<Way> {
    const rule = this.#options.rules.for(target.host);
    const refusal =
      dialect === 'local' ? undefined : await this.#options.guard.refusalFor(target.host, reach);
    const guarded = refusal === undefined ? {} : { filterAddress: refusal };
    try {
      return await dialLoopbackTwice(target.host, dialect, host =>
        this.#options.straight.dial({ target: { host, port: target.port }, rule, signal, ...guarded }),
      );
    } catch (error) {
      if (error instanceof AddressRefusedError && error.cause instanceof LocalTargetError) throw error.cause;
      throw error;
    }
  }
}

const none: readonly string[] = [];
const otherLoopback: Record<string, string> = { '127.0.0.1': '::1', '::1': '127.0.0.1' };

/**
 * A browser that resolves `localhost` itself picks one loopback address, and many servers listen on the other one
 * only: what it could not reach on its own is tried there.
 */
async function dialLoopbackTwice(
  host: string,
  dialect: Dialect,
  dial: (host: string) => Promise<Way>,
): Promise<Way> {
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

/** Whether the relay found no address for a name. */
function isNameUnknown(error: unknown): boolean {
  return error instanceof RelayTargetError && error.message.includes('MANYPATH_RELAY_NAME_NOT_FOUND');
}
