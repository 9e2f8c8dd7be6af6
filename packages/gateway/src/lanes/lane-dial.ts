import { isIP, type Socket } from 'node:net';
import type { Authority, Clock } from '@manypath/core';
import { type ConnectOptions, connect, type Lookup, preferredCongestion } from '@manypath/mptcp';
import { dialOverPaths, type Steward, WinnerMemory } from '@manypath/paths';
import { followName } from './follow-name.ts';

/** Connects to the relay. */
export type LaneDial = (relay: Authority, signal: AbortSignal) => Promise<Socket>;

export interface LaneDialOptions {
  readonly steward: Steward | undefined;
  readonly lookup: Lookup | undefined;
  /** Has `lookup` ask anew for a name. */
  readonly forgetName?: ((host: string) => void) | undefined;
  /** How long nobody may answer until it is looked whether the name leads elsewhere by now, in milliseconds. */
  readonly nameCheckMs: number;
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
export function laneDial(options: LaneDialOptions): LaneDial {
  const { steward, lookup, clock } = options;
  const remembered = new WinnerMemory(clock);
  return async (relay, signal) => {
    if (lookup === undefined || isIP(relay.host) !== 0) return dial(relay, signal, {});
    return followName(relay.host, { ...options, lookup }, signal, (known, given) =>
      dial(relay, given, { lookup: known }),
    );
  };

  async function dial(
    relay: Authority,
    signal: AbortSignal,
    known: Pick<ConnectOptions, 'lookup'>,
  ): Promise<Socket> {
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
  }
}

/** Connects over one path only, with TCP. */
export function dialOver(device: string): LaneDial {
  const way: Partial<ConnectOptions> = { device, mptcp: false };
  return (relay, signal) => connect({ ...relay, signal, ...laneOptions(), ...way });
}
