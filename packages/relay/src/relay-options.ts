import type { Authority, Logger } from '@manypath/core';
import type { ForwardLimits } from '@manypath/forward';
import type { Lookup } from '@manypath/mptcp';
import type { RelayLimits } from './limits.ts';
import type { CertificateFiles } from './server-certificate.ts';

/** Options of {@link startRelay}. */
export interface RelayOptions {
  /** Where to listen; port 0 takes a free one. */
  listen: Authority;
  /** Its folder `relay` keeps secret, key and certificate; only its owner may read that. */
  stateDir: string;
  /** How clients reach this relay, for the pairing URL; port 0 means the one that is listened on. Default: a guess. */
  publicHost?: Authority;
  /** Whether loopback, private, link-local and metadata addresses are dialled too. Default false. */
  allowPrivate?: boolean;
  /** Ports of targets that are refused. Default: 25, which open proxies are abused for first. */
  refusedPorts?: readonly number[];
  /** A certificate from an authority, looked at for changes; then pairings carry no pin. */
  certificate?: CertificateFiles;
  /** Congestion control towards clients, so that of downloads; default: the system's. */
  congestion?: string;
  /** Whether hosts that clients ask for are logged. Default false. */
  logHosts?: boolean;
  /** Resolves the names of targets. Default: the system's resolver. */
  lookup?: Lookup;
  /** Where it writes what happens; hosts are named only with `logHosts`. */
  logger?: Logger;
  /** Whether gateways get sessions, which outlive their connections; without, it is as an older release is to them. Default true. */
  sessions?: boolean;
  limits?: Partial<RelayLimits>;
  /** Limits of the tunnels and of plain requests. */
  forwardLimits?: Partial<ForwardLimits>;
  /** Closes the relay. */
  signal?: AbortSignal;
}

/** A running relay. */
export interface Relay {
  /** Where it listens. */
  readonly address: Authority;
  /** The URL that pairs a gateway with this relay. */
  readonly pairing: string;
  /** Why this host takes no Multipath TCP, in a sentence; `null` where it does. Looked at again while it runs. */
  readonly withoutMultipath: string | null;
  status(): RelaySnapshot;
  /**
   * Stops listening, lets tunnels end by themselves, then ends them.
   *
   * @param graceMs How long they may take, in milliseconds; default `closeGraceMs` of the limits.
   */
  close(graceMs?: number): Promise<void>;
}

/** What a relay is doing. */
export interface RelaySnapshot {
  /** Connections of clients, and from how many addresses (IPv6: /64 networks) they come. */
  readonly connections: number;
  readonly clients: number;
  /** How many of the connections have not shown the secret (yet). */
  readonly strangers: number;
  /** How many of the connections are MPTCP, and how many TCP. */
  readonly multipathConnections: number;
  readonly plainConnections: number;
  /** How many of them speak HTTP/2, with the sessions of gateways. */
  readonly sessions: number;
  /** Connections that carry sessions of gateways. */
  readonly carriers: number;
  /** Sessions without one, which wait for their gateways, and bytes that they hold. */
  readonly sessionsWaiting: number;
  readonly waitingBytes: number;
  /** Tunnels that are open, and those opened so far. */
  readonly tunnels: number;
  readonly tunnelsOpened: number;
  /** Requests without the right secret so far. */
  readonly notPaired: number;
  /** Bytes of tunnels and forwarded requests so far, as they are between relay and target. */
  readonly bytesFromClients: number;
  readonly bytesFromTargets: number;
}
