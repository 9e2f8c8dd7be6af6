import { isIP } from 'node:net';
import { type Authority, addressScope } from '@manypath/core';
import { RelayAwayError, RelayTargetError } from './errors.ts';
import type { LocalNames } from './local-names.ts';
import type { LocalNetworks } from './local-networks.ts';
import type { Rule } from './rules.ts';

/** How a connection leaves: `straight` from this host, or through the relay. */
export type Route = 'straight' | 'relay';

/** What the decision needs to know. */
export interface RouteKnowledge {
  /** Whether there is a relay to go through. */
  readonly hasRelay: boolean;
  readonly localNames: LocalNames;
  readonly localNetworks: LocalNetworks;
  /** What the user wants for this target. */
  readonly rule?: Rule | undefined;
  /** Whether the target is known to speak Multipath TCP itself. */
  readonly speaksMultipath?: boolean | undefined;
  /** Addresses that this machine's own names have for it: they are what is meant. Default: none. */
  readonly own?: readonly string[];
}

/**
 * Decides how a connection leaves. What only this host can reach or look up never goes to the relay, unless a rule says so;
 * what speaks Multipath TCP itself does not need one.
 */
export function decideRoute(target: Authority, knowledge: RouteKnowledge): Route {
  if (!knowledge.hasRelay) return 'straight';
  const { rule } = knowledge;
  // A rule that names paths only is about connections of this host's own.
  if (rule !== undefined && rule.route !== 'relay') return 'straight';
  // Who names a local host in a rule for the relay means it; who names all of them does not mean this machine.
  if (rule !== undefined && rule.host !== '*') return 'relay';
  const { localNames, localNetworks, own = [] } = knowledge;
  const addresses = isIP(target.host) === 0 ? own : [target.host];
  const local =
    addresses.length === 0
      ? localNames.includes(target.host)
      : addresses.some(address => localNetworks.includes(address));
  return local || (rule === undefined && knowledge.speaksMultipath === true) ? 'straight' : 'relay';
}

/**
 * Whether a connection that the relay did not open may leave straight instead: a private address that the relay must
 * not dial may well be one of this side; and while the relay is away, if the user wants that.
 */
export function mayGoStraight(error: unknown, { host }: Authority, failover: 'refuse' | 'straight'): boolean {
  if (error instanceof RelayAwayError) return failover === 'straight';
  const refused = error instanceof RelayTargetError && error.status === 403;
  return refused && isIP(host) !== 0 && addressScope(host) === 'private';
}
