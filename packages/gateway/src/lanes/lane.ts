import type { Socket } from 'node:net';
import type { Authority, LaneProtocol } from '@manypath/core';
import type { Way } from '../ways/way.ts';

/** Which addresses a target may have. */
export type Reach = 'public' | 'any';

/** How a tunnel through a lane is asked for. */
export interface TunnelOptions {
  /** Aborted when nobody waits for it any more. Made when it is asked for, so that who need not wait does not ask. */
  readonly signal: AbortSignal;
  /** Bytes for the target that are there already: they leave with the request. */
  readonly firstBytes: Uint8Array;
  /**
   * Which addresses the relay may connect to: `public`, or `any` that it allows. Where this is given, the tunnel is open only
   * when the relay has answered. Default `any`.
   */
  readonly reach?: Reach | undefined;
}

/** A way through the relay, which may be used before the relay has answered. */
export interface Tunnel extends Way {
  /**
   * Fulfilled when the relay has connected to the target.
   *
   * @throws RelayTargetError `MANYPATH_RELAY_TARGET`
   * @throws RelayRefusedError `MANYPATH_RELAY_REFUSED`
   * @throws LaneLostError `MANYPATH_LANE_LOST`
   */
  readonly answered: Promise<void>;
}

/**
 * `ready`; `suspect`: it did not answer a check, and only what is there already stays on it; `draining`: the relay wants no
 * more on it; `closed`.
 */
export type LaneState = 'ready' | 'suspect' | 'draining' | 'closed';

/** One warm, authenticated connection to the relay. */
export interface Lane {
  readonly state: LaneState;
  /** What is spoken on it. */
  readonly protocol: LaneProtocol;
  /** Tunnels that are open. */
  readonly streams: number;
  /** Tunnels that may be open at once. */
  readonly capacity: number;
  /** Bytes a second lately, both directions. */
  readonly rate: number;
  /** When the last tunnel closed, by the clock. */
  readonly idleSince: number;
  /** When something last came from the relay, by the clock. */
  readonly heardAt: number;
  /** The connection, whose subflows can be asked for; `undefined` for a lane that connects for each tunnel. */
  readonly socket: Socket | undefined;
  /** Whether what it carries goes on over another lane when it is closed. Default: it does not. */
  readonly movesTunnels?: boolean;
  /** Why it closed, where it closed for a reason. */
  readonly failure: Error | undefined;
  /**
   * @param early Whether the tunnel is used before the relay has answered: should it refuse, nothing of its answer may be taken
   *   for bytes of the target. Default false.
   */
  open(target: Authority, options: TunnelOptions, early?: boolean): Tunnel | Promise<Tunnel>;
  /** What has to be done several times a second while tunnels are open. */
  tend(): void;
  /** Asks for a sign of life. A lane that gives none within `answerMs` becomes `suspect`. */
  check(answerMs: number): void;
  /** Ends it with all it carries. */
  close(): void;
}

/** What a lane tells its owner. */
export interface LaneEvents {
  /** The state changed, or a tunnel closed. */
  changed(lane: Lane): void;
}
