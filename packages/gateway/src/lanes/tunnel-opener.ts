import type { Authority, Clock } from '@manypath/core';
import { info } from '@manypath/mptcp';
import { LaneLostError } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import type { KnownTargets } from './known-targets.ts';
import type { Lane, Tunnel, TunnelOptions } from './lane.ts';

/** The lanes that a {@link TunnelOpener} takes from. */
export interface LanePool {
  /** A lane for a new tunnel; `undefined` while there is none that answers. */
  choose(): Lane | undefined;
  /** Waits for one that is being connected. */
  take(signal: AbortSignal): Promise<Lane>;
  /** Asks a lane for a tunnel. */
  ask(lane: Lane, target: Authority, options: TunnelOptions, early: boolean): Tunnel | Promise<Tunnel>;
  /** A lane that answers, other than this one; `undefined` while there is none. */
  otherThan(lane: Lane): Lane | undefined;
  /** Waits until a lane changes, for `milliseconds` at most. */
  change(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export interface TunnelOpenerOptions {
  readonly pool: LanePool;
  readonly known: KnownTargets;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
}

/**
 * Asks lanes for tunnels. Who waits for the answer of a lane on which nothing arrives any more, because the relay is not to be
 * reached by it, leaves it for another one, unless what was sent along must not be sent twice.
 */
export class TunnelOpener {
  readonly #options: TunnelOpenerOptions;

  constructor(options: TunnelOpenerOptions) {
    this.#options = options;
  }

  /**
   * @returns The tunnel, which may not be answered yet where the target is known and the lane was heard of just now.
   * @throws as `RelayLink.open`
   */
  async open(target: Authority, options: TunnelOptions): Promise<Tunnel> {
    const { pool, known, limits } = this.#options;
    for (let tries = 1; ; tries++) {
      const lane = pool.choose() ?? (await pool.take(options.signal));
      const mayTryAgain = tries < limits.laneTries && maySendAgain(options.firstBytes);
      const leaveAfterMs = mayTryAgain && !carriesOn(lane) ? 0 : undefined;
      const early = options.reach === undefined && known.has(target) && this.#isFresh(lane);
      try {
        const tunnel = await pool.ask(lane, target, options, early);
        if (early) return this.#known(tunnel, lane, target, options);
        if (await this.#isAnswered(tunnel, lane, options.signal, leaveAfterMs)) {
          known.add(target);
          return tunnel;
        }
        tunnel.abort(new LaneLostError());
      } catch (error) {
        known.delete(target);
        if (!(error instanceof LaneLostError) || !mayTryAgain || options.signal.aborted) throw error;
      }
    }
  }

  /**
   * The client sends on meanwhile; a refusal breaks the tunnel off, and so does a lane that is left, since nothing can be sent again:
   * it is left only when it has been silent for longer than lanes are that come back with their links.
   */
  #known(tunnel: Tunnel, lane: Lane, target: Authority, options: TunnelOptions): Tunnel {
    const { known, limits } = this.#options;
    if (carriesOn(lane)) {
      // A refusal breaks it off by itself, and so does nothing else.
      tunnel.answered.then(
        () => known.add(target),
        () => known.delete(target),
      );
      return tunnel;
    }
    const answered = this.#isAnswered(tunnel, lane, options.signal, limits.laneEarlySilenceMs).then(
      isAnswered => {
        if (!isAnswered) throw new LaneLostError();
        known.add(target);
      },
      error => {
        known.delete(target);
        throw error;
      },
    );
    answered.catch(error => tunnel.abort(error));
    return tunnel;
  }

  /**
   * @param leaveAfterMs How long the lane may hear nothing before it is left for another one; `undefined` when it is not to be left.
   * @returns `false` when the lane is to be left.
   */
  async #isAnswered(
    tunnel: Tunnel,
    lane: Lane,
    signal: AbortSignal,
    leaveAfterMs: number | undefined,
  ): Promise<boolean> {
    const { pool, limits, clock } = this.#options;
    const askedAt = clock.now();
    let isOver = false;
    const answered = tunnel.answered.finally(() => {
      isOver = true;
    });
    try {
      while (leaveAfterMs !== undefined && !isOver) {
        await Promise.race([answered, pool.change(limits.laneDoubtMs, signal)]);
        if (isOver || lane.heardAt > askedAt) break;
        if (lane.state === 'ready' && clock.now() - askedAt >= limits.laneDoubtMs) {
          // Who sent it far away, or into full queues, waits for as long as the last answer took, several times over.
          lane.check(Math.max(limits.laneDoubtMs, 4 * roundTripMs(lane)));
        }
        const isSilent = lane.state === 'suspect' && clock.now() - askedAt >= leaveAfterMs;
        if (isSilent && pool.otherThan(lane) !== undefined) {
          answered.catch(() => {});
          return false;
        }
      }
      await answered;
      return true;
    } catch (error) {
      tunnel.abort(error as Error);
      throw error;
    }
  }

  #isFresh(lane: Lane): boolean {
    return this.#options.clock.now() - lane.heardAt < this.#options.limits.laneFreshMs;
  }
}

function roundTripMs({ socket }: Lane): number {
  return socket === undefined ? 0 : Math.max(0, ...info(socket).subflows.map(({ rttMs }) => rttMs));
}

/** Nothing, or the beginning of a TLS handshake, which a server forgets that nobody goes on with. */
function maySendAgain(bytes: Uint8Array): boolean {
  return bytes.length === 0 || (bytes[0] === 0x16 && bytes[1] === 0x03);
}

/** Whether tunnels leave a lane by themselves when it is lost. */
function carriesOn(lane: Lane): boolean {
  return lane.movesTunnels !== undefined;
}
