import type { Clock, Pairing } from '@manypath/core';
import type { Steward } from '@manypath/paths';
import type { GatewayLimits } from '../limits.ts';
import { Http1Lane } from './http1-lane.ts';
import { Http2Lane } from './http2-lane.ts';
import type { Lane, LaneEvents } from './lane.ts';
import type { LaneDial } from './lane-dial.ts';
import { openLaneSocket } from './lane-socket.ts';

export interface OpenLaneOptions {
  readonly pairing: Pairing;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly events: LaneEvents;
  readonly dial: LaneDial;
  /** Chooses the subflows of lanes; without it the kernel does. */
  readonly steward?: Steward | undefined;
  /** Bytes that the relay may hold for each tunnel and direction. Default: as many as it likes. */
  readonly aheadBytes?: number | undefined;
}

/** Opens a lane. Rejects with the reason of `signal` when it is aborted. */
export type OpenLane = (options: OpenLaneOptions, signal: AbortSignal) => Promise<Lane>;

/**
 * Connects to the relay, sees that it is the right one and takes this gateway, and gives the kind of lane that it
 * offers: HTTP/2 if it can, else HTTP/1.1.
 */
export const openLane: OpenLane = async (options, signal) => {
  const { pairing, dial, steward } = options;
  const socket = await openLaneSocket(pairing, dial, signal);
  if (socket.protocol !== 'h2') return Http1Lane.open(socket, options, signal);
  const onActivity = () => steward?.wake(socket.raw);
  const lane = await Http2Lane.open(socket, { ...options, onActivity }, signal);
  steward?.steer(socket.raw, {
    isInUse: () => lane.streams > 0,
    ping: () => lane.check(options.limits.laneAnswerMs),
    onOpeningWindow: bytes => lane.hold(bytes),
  });
  return lane;
};
