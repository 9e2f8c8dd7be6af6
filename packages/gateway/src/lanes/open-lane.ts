import type { Clock, Pairing } from '@manypath/core';
import type { Lookup } from '@manypath/mptcp';
import type { GatewayLimits } from '../limits.ts';
import { Http1Lane } from './http1-lane.ts';
import { Http2Lane } from './http2-lane.ts';
import type { Lane, LaneEvents } from './lane.ts';
import { openLaneSocket } from './lane-socket.ts';

export interface OpenLaneOptions {
  readonly pairing: Pairing;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly events: LaneEvents;
  readonly lookup?: Lookup | undefined;
}

/** Opens a lane. Rejects with the reason of `signal` when it is aborted. */
export type OpenLane = (options: OpenLaneOptions, signal: AbortSignal) => Promise<Lane>;

/**
 * Connects to the relay, sees that it is the right one and takes this gateway, and gives the kind of lane that it
 * offers: HTTP/2 if it can, else HTTP/1.1.
 */
export const openLane: OpenLane = async (options, signal) => {
  const socket = await openLaneSocket(options.pairing, { signal, lookup: options.lookup });
  const kind = socket.protocol === 'h2' ? Http2Lane : Http1Lane;
  return kind.open(socket, options, signal);
};
