import { isIP } from 'node:net';
import type { Authority } from '@manypath/core';
import type { Dialect } from './connection.ts';
import type { LocalNames } from './local-names.ts';
import type { LocalNetworks } from './local-networks.ts';

/** How a connection leaves: `straight` from this host, or through the relay. */
export type Route = 'straight' | 'relay';

/** What the decision needs to know. */
export interface RouteKnowledge {
  /** Whether there is a relay to go through. */
  readonly hasRelay: boolean;
  readonly localNames: LocalNames;
  readonly localNetworks: LocalNetworks;
}

/** Decides how a connection leaves. What only this host can reach or look up never goes to the relay. */
export function decideRoute(target: Authority, dialect: Dialect, knowledge: RouteKnowledge): Route {
  if (!knowledge.hasRelay || dialect === 'local') return 'straight';
  const { host } = target;
  const local =
    isIP(host) === 0 ? knowledge.localNames.includes(host) : knowledge.localNetworks.includes(host);
  return local ? 'straight' : 'relay';
}
