import type { Socket } from 'node:net';
import type { Authority, Clock } from '@manypath/core';
import { type ConnectOptions, connect, type Lookup, preferredCongestion } from '@manypath/mptcp';
import { dialOverPaths, type Steward, WinnerMemory } from '@manypath/paths';

/** Connects to the relay. */
export type LaneDial = (relay: Authority, signal: AbortSignal) => Promise<Socket>;

export interface LaneDialOptions {
  readonly steward: Steward | undefined;
  readonly lookup: Lookup | undefined;
  readonly clock: Clock;
}

/** What all connections to the relay have in common. */
function laneOptions() {
  const congestion = preferredCongestion();
  return { timeout: 0, allowHalfOpen: true, ...(congestion === undefined ? {} : { congestion }) };
}

/**
 * How lanes are dialled: beginning with the path that leads, over whichever answers first. The lane's other subflows join later;
 * the steward chooses them if it may, else the kernel does.
 */
export function laneDial({ steward, lookup, clock }: LaneDialOptions): LaneDial {
  const remembered = new WinnerMemory(clock);
  const known = lookup === undefined ? {} : { lookup };
  return async (relay, signal) => {
    if (steward === undefined) return connect({ ...relay, signal, ...laneOptions(), ...known });
    const { socket, addresses } = await dialOverPaths({
      ...relay,
      ...laneOptions(),
      ...known,
      signal,
      remembered,
      clock,
      outlooks: () => steward.outlooks(),
      prefer: steward.preferred()[0]?.path.name,
      openSocket: steward.openSocket,
      joinsBothFamilies: steward.openSocket !== undefined,
      only: steward.only,
      onOutcome: (path, outcome, rttMs) => steward.tell(path, outcome, rttMs),
      examineSizes: (path, question) => steward.examineSizes(path, question),
    });
    steward.account(socket, addresses);
    return socket;
  };
}

/** Connects over one path only, with TCP. */
export function dialOver(device: string): LaneDial {
  const way: Partial<ConnectOptions> = { device, mptcp: false };
  return (relay, signal) => connect({ ...relay, signal, ...laneOptions(), ...way });
}
