import type { Authority, Carried, Clock, Logger, Pairing, PathRecord, PathStatus } from '@manypath/core';
import type { Lookup } from '@manypath/mptcp';
import type { PathChange, PathSet, Steward } from '@manypath/paths';
import type { Housekeeping } from './control/housekeeping.ts';
import type { GatewayLimits } from './limits.ts';
import type { Rule } from './rules.ts';
import type { PathKnowledge } from './straight-dialer.ts';
import type { StreamProgram } from './streams/program-leg.ts';

/** Who knows the paths of this host; `PathSet` of @manypath/paths does. */
export interface PathSource extends PathKnowledge {
  status(): readonly PathStatus[];
  /** Whether somebody may set them up for Multipath TCP: `managing`, or else `observing`. Default `observing`. */
  readonly mode?: 'managing' | 'observing';
  /** What connections carried over each path, by its name. */
  carried?(): ReadonlyMap<string, Carried>;
  /** What was learned of paths and kept. */
  records?(): readonly PathRecord[];
  /** Calls `listener` when they change. @returns What ends that. */
  onChange?(listener: (change: PathChange) => void): () => void;
  /** The path that a subflow is on. */
  pathOf?: PathSet['pathOf'];
  /** Finds out how paths are of which nothing was heard just now, so that `status` is true at this moment. */
  freshen?(): Promise<void>;
}

/** How connections find their way; what a user may change while the gateway runs. */
export interface Routing {
  /** The relay to go through, or the URL that tells it. Default: none, every connection goes straight. */
  readonly relay?: Pairing | string;
  /** What happens to new connections while the relay is away: an error (default), or straight, over one path mostly. */
  readonly failover?: 'refuse' | 'straight';
  /** What the user wants for some hosts; the first that fits counts. */
  readonly rules?: readonly Rule[];
  /** Hosts that never go to the relay: a name, `*.domain`, an address, or a network. */
  readonly bypass?: readonly string[];
  /** Programs that web pages may run, by their names. Default: none. */
  readonly programs?: Readonly<Record<string, StreamProgram>>;
}

export interface GatewayOptions extends Routing {
  /** Where the proxy port is; port 0 takes a free one. Default 127.0.0.1:8118. */
  readonly listen?: Authority;
  /** Folder for the control socket; made with mode 0700 if it is missing. */
  readonly stateDir: string;
  /** What is told of paths, and of their changes. */
  readonly paths?: PathSource;
  /** Chooses the paths of connections; without it the kernel does. */
  readonly steward?: Steward;
  /** Whether origins that the relay carries much for are asked, once a day, whether they speak it. Default true. */
  readonly asksOrigins?: boolean;
  /** Who may use the proxy port: the user who started the gateway, and root (default); or everybody who reaches it. */
  readonly guard?: 'same-user' | 'none';
  /**
   * Refuses what comes by the proxy and leads to this machine or its local network. For a browser that reaches those
   * itself: it guards them from public pages by their addresses, which it does not know of what it has a proxy look up.
   * Default false.
   */
  readonly protectLocal?: boolean;
  /** Names that may lead to the local network all the same: a host name, or `*.domain`. */
  readonly localNames?: readonly string[];
  /** Opens a second proxy port, on a free port, that behaves as if there were no Manypath. Default false. */
  readonly straightPort?: boolean;
  /** Answers what the control socket asks of things that are not the gateway's own. Default: it says that they are not there. */
  readonly housekeeping?: Housekeeping;
  readonly logger?: Logger;
  /** Default: the name servers of every path, and the system's resolver for names of this machine's network. */
  readonly lookup?: Lookup;
  readonly clock?: Clock;
  readonly limits?: Partial<GatewayLimits>;
}
