import type { Clock, Pairing } from '@manypath/core';
import type { Steward } from '@manypath/paths';
import { sessionProtocol } from '@manypath/transport';
import type { GatewayLimits } from '../limits.ts';
import type { GatewaySessions } from './gateway-sessions.ts';
import { Http1Lane } from './http1-lane.ts';
import { Http2Lane } from './http2-lane.ts';
import type { Lane, LaneEvents } from './lane.ts';
import type { LaneDial } from './lane-dial.ts';
import { type LaneSocket, openLaneSocket } from './lane-socket.ts';
import { SessionLane, type SessionLaneOptions } from './session-lane.ts';

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
  /** The sessions with this relay, for lanes that are carriers; without them lanes are those of a standard proxy. */
  readonly sessions?: GatewaySessions | undefined;
}

/** Opens a lane. Rejects with the reason of `signal` when it is aborted. */
export type OpenLane = (options: OpenLaneOptions, signal: AbortSignal) => Promise<Lane>;

/**
 * Connects to the relay, sees that it is the right one and takes this gateway, and gives the kind of lane that it
 * offers: a carrier of a session, else HTTP/2, else HTTP/1.1.
 */
export const openLane: OpenLane = async (options, signal) => {
  const { pairing, dial, steward, sessions } = options;
  const socket = await openLaneSocket(pairing, dial, signal, {
    offersSessions: pairing.isRelay && sessions !== undefined,
  });
  if (socket.protocol === sessionProtocol && sessions !== undefined) {
    return openSessionLane(socket, { ...options, sessions }, signal);
  }
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

async function openSessionLane(
  socket: LaneSocket,
  options: SessionLaneOptions & { steward?: Steward | undefined },
  signal: AbortSignal,
): Promise<SessionLane> {
  const { steward, limits } = options;
  const lane = await SessionLane.open(
    socket,
    {
      ...options,
      onActivity: () => steward?.wake(socket.raw),
      onStalled: () => steward?.askSizes(socket.raw),
    },
    signal,
  );
  steward?.steer(socket.raw, {
    isInUse: () => lane.streams > 0,
    ping: () => lane.check(limits.laneAnswerMs),
    onOpeningWindow: bytes => lane.hold(bytes),
  });
  return lane;
}
