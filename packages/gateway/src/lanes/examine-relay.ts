import { type Pairing, systemClock } from '@manypath/core';
import { connect, info, reasonText } from '@manypath/mptcp';
import { gatewayLimits } from '../limits.ts';
import { openLane } from './open-lane.ts';

/** What a lane over one path is like. */
export interface RelayExamination {
  readonly multipath: boolean;
  /** Why it is or is not, in a sentence. */
  readonly reason: string;
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
  const lane = await openLane(
    {
      pairing,
      limits: gatewayLimits,
      clock: systemClock,
      events: { changed: () => {} },
      dial: (relay, aborted) => connect({ ...relay, device, signal: aborted, allowHalfOpen: true }),
    },
    signal,
  );
  try {
    if (lane.socket === undefined) return { multipath: false, reason: 'it is a plain HTTP/1.1 proxy' };
    const { multipath, reason } = info(lane.socket);
    return { multipath, reason: reasonText(reason) };
  } finally {
    lane.close();
  }
}
