import { type LaneProtocol, type Pairing, systemClock } from '@manypath/core';
import { connect, info, reasonText } from '@manypath/mptcp';
import { LaneLostError } from '../errors.ts';
import { gatewayLimits } from '../limits.ts';
import { GatewaySessions } from './gateway-sessions.ts';
import { openLane } from './open-lane.ts';

/** What a lane over one path is like. */
export interface RelayExamination {
  readonly multipath: boolean;
  /** Why it is or is not, in a sentence. */
  readonly reason: string;
  /** What is spoken on it; only what goes by `manypath/1` outlives its connection. */
  readonly protocol: LaneProtocol;
}

/**
 * Opens a lane over one path and closes it: is the relay there, is it the right one, does it take us, and is it reached by
 * Multipath TCP?
 *
 * @throws RelayUntrustedError `MANYPATH_RELAY_UNTRUSTED`; RelayRefusedError `MANYPATH_RELAY_REFUSED`
 * @throws what `connect` of @manypath/mptcp throws
 */
export async function examineRelay(
  pairing: Pairing,
  device: string,
  signal: AbortSignal,
): Promise<RelayExamination> {
  const sessions = new GatewaySessions({
    clock: systemClock,
    widestWindowBytes: gatewayLimits.streamWindowBytes,
    onPong: () => {},
    onOver: () => {},
    onGoAway: () => {},
  });
  const lane = await openLane(
    {
      pairing,
      limits: gatewayLimits,
      clock: systemClock,
      events: { changed: () => {} },
      dial: (relay, aborted) => connect({ ...relay, device, signal: aborted, allowHalfOpen: true }),
      sessions,
    },
    signal,
  );
  const { protocol, socket } = lane;
  try {
    if (socket === undefined) return { multipath: false, reason: 'it is a plain HTTP/1.1 proxy', protocol };
    const { multipath, reason } = info(socket);
    return { multipath, reason: reasonText(reason), protocol };
  } finally {
    sessions.close(new LaneLostError());
    lane.close();
  }
}
