import type { Socket } from 'node:net';
import {
  type Authority,
  addressScope,
  type Clock,
  errorMessage,
  formatAuthority,
  type LaneProtocol,
  type LaneStatus,
  type Logger,
  type Pairing,
  type RelayStatus,
  type Timer,
} from '@manypath/core';
import { type InfoReason, info, type Lookup, multipathSupport } from '@manypath/mptcp';
import { isTooLargeForPaths, type Steward } from '@manypath/paths';
import { sessionProtocol } from '@manypath/transport';
import {
  LaneLostError,
  RelayAwayError,
  RelayRefusedError,
  RelayTargetError,
  RelayUntrustedError,
} from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import { socketStatus } from '../socket-status.ts';
import { BackOff } from './back-off.ts';
import { chooseLane, needsAnotherLane } from './choose-lane.ts';
import { GatewaySessions } from './gateway-sessions.ts';
import { KnownTargets } from './known-targets.ts';
import type { Lane, Tunnel, TunnelOptions } from './lane.ts';
import { type LaneDial, laneDial } from './lane-dial.ts';
import { type OpenLane, openLane } from './open-lane.ts';
import { Outage } from './outage.ts';
import { lanesCarrying, overOn, pongOn } from './session-lane.ts';
import { SpeedSurvey } from './speed-survey.ts';
import { TunnelOpener } from './tunnel-opener.ts';

/**
 * `connecting`: the first attempt since the start, or since the last lane broke, is under way; `ready`; `degraded`: there
 * is a lane, but none that answers, or no second one can be had; `away`: not reached, tried again; `refused`: reached, and
 * it does not take this gateway, or is not the one that was paired with.
 */
export type RelayState = 'connecting' | 'ready' | 'degraded' | 'away' | 'refused';

export interface RelayLinkOptions {
  readonly pairing: Pairing;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly lookup?: Lookup | undefined;
  /** Has `lookup` ask anew for a name: what it led to is not to be reached any more. */
  readonly forgetName?: ((host: string) => void) | undefined;
  /** Chooses the subflows of lanes; without it the kernel does. */
  readonly steward?: Steward | undefined;
  /** Bytes that the relay may hold for each tunnel and direction. Default: as many as it likes. */
  readonly aheadBytes?: number;
  /** Whether the speed of paths to the relay is measured. Default true. */
  readonly surveys?: boolean;
  /** Told when the state is another one. */
  readonly onChange?: () => void;
  /** Told when connections went on after an outage, and how long nothing came. */
  readonly onResumed?: (connections: number, stallMs: number) => void;
  /** Default: over the network. */
  readonly openLane?: OpenLane;
  /** Numbers from 0 up to 1, for the jitter. */
  readonly random?: () => number;
}

/**
 * The link to the relay: a handful of warm lanes, kept and checked, replaced when they break, more of them while bulk
 * transfers fill those there are. It tries again for as long as it is open.
 */
export class RelayLink {
  readonly #options: RelayLinkOptions;
  readonly #address: string;
  readonly #backOff: BackOff;
  readonly #known: KnownTargets;
  readonly #survey: SpeedSurvey | undefined;
  readonly #dial: LaneDial;
  readonly #opener: TunnelOpener;
  readonly #sessions: GatewaySessions;
  readonly #outage: Outage;
  readonly #lanes = new Set<Lane>();
  readonly #waiting = new Set<() => void>();
  #state: RelayState = 'connecting';
  #failure: Error | undefined;
  #attempt: AbortController | undefined;
  #attempts = 0;
  #lastAttemptEnded = Number.NEGATIVE_INFINITY;
  #retry: Timer | undefined;
  #retryAt = 0;
  #checks: Timer | undefined;
  #growth: Timer | undefined;
  #kernelCheck: Timer | undefined;
  /** Lanes that new ones would be better than: they carry what they have, and more only while there is no other. */
  readonly #stale = new WeakSet<Lane>();
  /** When the last tunnel was opened, and when lanes were last seen to carry something. */
  #openedAt = Number.NEGATIVE_INFINITY;
  #movedAt = Number.NEGATIVE_INFINITY;
  #protocol: LaneProtocol | undefined;
  #closed = false;
  #retired = false;

  constructor(options: RelayLinkOptions) {
    const { pairing, limits, clock } = options;
    this.#options = options;
    this.#address = formatAuthority(pairing.address);
    this.#backOff = new BackOff(limits.backOffFirstMs, limits.backOffMostMs, options.random);
    const { steward, logger, lookup, forgetName } = options;
    const { nameCheckMs } = limits;
    this.#dial = laneDial({ steward, lookup, forgetName, nameCheckMs, clock });
    if (steward !== undefined && pairing.secure && options.surveys !== false) {
      this.#survey = new SpeedSurvey({ pairing, steward, limits, logger, clock });
    }
    this.#sessions = new GatewaySessions({
      clock,
      widestWindowBytes: limits.streamWindowBytes,
      onPong: pongOn,
      onOver: overOn,
      onGoAway: session => {
        for (const lane of lanesCarrying(session)) this.#laneChanged(lane);
      },
    });
    this.#outage = new Outage({ clock, onResumed: (tunnels, stallMs) => this.#resumed(tunnels, stallMs) });
    this.#known = new KnownTargets(limits.targetsKept, limits.targetMs, clock);
    this.#opener = new TunnelOpener({
      pool: {
        choose: () => this.#readyLane(),
        take: signal => this.#laneFor(signal),
        ask: (...question) => this.#ask(...question),
        otherThan: lane => this.#usable().find(other => other !== lane && other.state === 'ready'),
        change: (milliseconds, signal) => this.#change(milliseconds, signal),
      },
      known: this.#known,
      limits,
      clock,
    });
    this.#begin();
    this.#checkLater();
  }

  get state(): RelayState {
    return this.#state;
  }

  get address(): string {
    return this.#address;
  }

  /** Waits until it is known whether the relay can be reached, for `milliseconds` at most. */
  async settled(milliseconds: number): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + milliseconds;
    const { signal } = new AbortController();
    while (this.#state === 'connecting' && !this.#closed && clock.now() < until) {
      await this.#change(until - clock.now(), signal);
    }
  }

  /** Whether the relay has lately connected to this target, so that it most likely will again. */
  reached(target: Authority): boolean {
    return this.#known.has(target);
  }

  /**
   * Opens a tunnel to a target. While a lane is being connected it waits, but not for long.
   *
   * @returns The tunnel, whose `answered` may still be open when the target is known (see {@link reached}).
   * @throws RelayAwayError `MANYPATH_RELAY_AWAY`
   * @throws RelayRefusedError `MANYPATH_RELAY_REFUSED`
   * @throws RelayUntrustedError `MANYPATH_RELAY_UNTRUSTED`
   * @throws RelayTargetError `MANYPATH_RELAY_TARGET`
   * @throws LaneLostError `MANYPATH_LANE_LOST`
   */
  async open(target: Authority, options: TunnelOptions): Promise<Tunnel> {
    try {
      return await this.#opener.open(target, options);
    } catch (error) {
      if (error instanceof RelayRefusedError) this.#refused(error);
      throw error;
    }
  }

  /** To be called when links, addresses or routes of this host changed: everything is looked at at once. */
  networkChanged(): void {
    const { laneQuickAnswerMs, laneMovedAnswerMs } = this.#options.limits;
    const own = this.#ownAddresses();
    // What has none of its addresses any more is not waited for.
    for (const lane of this.#lanes)
      lane.check(isElsewhere(lane, own) ? laneMovedAnswerMs : laneQuickAnswerMs);
    // What removed Multipath TCP on the way may be gone with the network.
    this.#replace(lane => lane.socket !== undefined && !info(lane.socket).multipath);
    this.#survey?.forgive();
    if (this.#usable().length > 0) void this.#survey?.run();
    this.#backOff.reset();
    if (!this.#isAnswering() || this.#state === 'degraded') this.#again();
  }

  /**
   * To be called when paths are thought of otherwise than before. Lanes that have a leg on one that is dead are looked at; where
   * there is no lane it is tried again, since a path may be back.
   */
  healthChanged(): void {
    const outlooks = this.#options.steward?.outlooks() ?? [];
    const dead = new Set(
      outlooks.flatMap(({ health, path }) =>
        health === 'dead' ? path.addresses.map(({ address }) => address) : [],
      ),
    );
    this.#replace(({ socket }) => socket !== undefined && isTooLargeForPaths(socket, outlooks));
    for (const lane of dead.size === 0 ? [] : this.#lanes) {
      const isOnDead = lane.socket !== undefined && localAddresses(lane.socket).some(one => dead.has(one));
      if (isOnDead) lane.check(this.#options.limits.laneQuickAnswerMs);
    }
    if (this.#usable().length > 0) void this.#survey?.run();
    if (this.#isAnswering()) return;
    this.#backOff.reset();
    this.#again();
  }

  /** What is told of the relay as a whole: costs nothing. */
  outline(): Pick<RelayStatus, 'address' | 'state' | 'reason' | 'waiting'> {
    return {
      address: this.#address,
      state: this.#state === 'degraded' ? 'ready' : this.#state,
      reason: this.#reason(),
      waiting: this.#outage.waiting(this.#sessions.tunnels),
    };
  }

  status(): RelayStatus {
    const retryInMs =
      this.#retry === undefined ? null : Math.round(this.#retryAt - this.#options.clock.now());
    return {
      ...this.outline(),
      lanes: [...this.#lanes].map(laneStatus),
      retryInMs: retryInMs === null ? null : Math.max(0, retryInMs),
      resumed: this.#outage.resumed,
    };
  }

  /** Whether nothing new is to go by it any more. */
  get retired(): boolean {
    return this.#retired;
  }

  /** Nothing new is to go by it: lanes close when they have nothing to carry any more. Who waits for one is turned away. */
  retire(): void {
    this.#retired = true;
    this.#survey?.close();
    this.#attempt?.abort(new LaneLostError());
    for (const timer of [this.#retry, this.#growth, this.#kernelCheck]) timer?.cancel();
    for (const lane of [...this.#lanes]) this.#laneChanged(lane);
    if (this.#lanes.size === 0) this.close();
    this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#survey?.close();
    this.#attempt?.abort(new LaneLostError());
    for (const timer of [this.#retry, this.#checks, this.#growth, this.#kernelCheck]) timer?.cancel();
    this.#sessions.close(new LaneLostError());
    for (const lane of [...this.#lanes]) lane.close();
    this.#wake();
  }

  // Using lanes

  #ask(lane: Lane, target: Authority, options: TunnelOptions, early: boolean): Tunnel | Promise<Tunnel> {
    this.#openedAt = this.#options.clock.now();
    this.#survey?.giveWay();
    if (lane.socket !== undefined) this.#options.steward?.wake(lane.socket);
    const tunnel = lane.open(target, options, early);
    this.#watchGrowth();
    return tunnel;
  }

  async #laneFor(signal: AbortSignal): Promise<Lane> {
    const { clock, limits } = this.#options;
    const until = clock.now() + limits.relayWaitMs;
    let earlier = this.#attempt;
    for (;;) {
      signal.throwIfAborted();
      this.#tryOnDemand();
      // What failed may have begun before the relay was there.
      if (earlier !== undefined && this.#attempt === undefined && !this.#isRefused()) this.#begin();
      if (this.#attempt !== earlier) earlier = undefined;
      const lane = this.#choose();
      if (lane !== undefined && (lane.state === 'ready' || this.#hasNetwork())) return lane;
      const left = until - clock.now();
      if (this.#isHopeless() || left <= 0) throw this.#awayError();
      await this.#change(this.#attempt === undefined ? Math.min(left, limits.demandRetryMs) : left, signal);
    }
  }

  /** Whether waiting does not help: a relay that was not reached just now most likely is gone, while a network comes back. */
  #isHopeless(): boolean {
    return this.#closed || this.#retired || (this.#attempt === undefined && this.#hasNetwork());
  }

  #isRefused(): boolean {
    return this.#failure !== undefined && isRefusal(this.#failure);
  }

  #readyLane(): Lane | undefined {
    const lane = this.#choose();
    return lane?.state === 'ready' ? lane : undefined;
  }

  #choose(): Lane | undefined {
    const { bulkBytesPerSecond } = this.#options.limits;
    const lane =
      chooseLane(this.#current(), bulkBytesPerSecond) ?? chooseLane([...this.#lanes], bulkBytesPerSecond);
    this.#growIfNeeded();
    return lane;
  }

  /** A request is the best reason to try once more, unless that was done just now. */
  #tryOnDemand(): void {
    if (this.#usable().length > 0 || this.#attempt !== undefined) return;
    const { clock, limits } = this.#options;
    const pause = this.#isRefused() ? limits.refusedDemandRetryMs : limits.demandRetryMs;
    if (clock.now() - this.#lastAttemptEnded >= pause) this.#begin();
  }

  #awayError(): Error {
    if (this.#failure instanceof RelayRefusedError || this.#failure instanceof RelayUntrustedError) {
      return this.#failure;
    }
    if (!this.#hasNetwork()) return new RelayAwayError(this.#address, noNetwork, this.#failure);
    if (this.#usable().length > 0) return new RelayTargetError(503, 'every lane to the relay is full');
    return new RelayAwayError(this.#address, this.#reason() ?? 'it does not answer', this.#failure);
  }

  #reason(): string | null {
    if (this.#state !== 'ready' && this.#state !== 'refused' && !this.#hasNetwork()) return noNetwork;
    if (this.#failure !== undefined) return errorMessage(this.#failure);
    if (this.#state === 'degraded') return 'it does not answer at the moment';
    return this.#state === 'connecting' ? 'it is being connected to' : null;
  }

  /** Waits until something changes, for `milliseconds` at most. */
  #change(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        timer.cancel();
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = this.#options.clock.after(milliseconds, done);
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  // Getting lanes

  /** Begins an attempt to open a lane, one at a time. */
  #begin(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    if (this.#closed || this.#retired || this.#attempt !== undefined) return;
    const attempt = new AbortController();
    this.#attempt = attempt;
    const { clock, limits, pairing, steward, aheadBytes } = this.#options;
    const patienceMs = this.#patience();
    const timer = clock.after(patienceMs, () => {
      attempt.abort(new Error(`it did not answer within ${patienceMs / 1000} s`));
    });
    const events = { changed: (lane: Lane) => this.#laneChanged(lane) };
    const open = this.#options.openLane ?? openLane;
    const sessions = this.#sessions;
    open({ pairing, limits, clock, events, dial: this.#dial, steward, aheadBytes, sessions }, attempt.signal)
      .then(
        lane => this.#opened(lane, attempt),
        error => this.#failed(error, attempt),
      )
      .finally(() => timer.cancel());
  }

  /**
   * How long an attempt may take. The kernel asks ever more seldom whether the relay is there: while connections wait, attempts are
   * begun anew instead, but for one in three, since there are slow networks too.
   */
  #patience(): number {
    const { limits } = this.#options;
    this.#attempts += 1;
    const isHasty = this.#isAwaited() && this.#attempts % 3 !== 0;
    return isHasty ? Math.min(limits.laneSetupHasteMs, limits.laneSetupMs) : limits.laneSetupMs;
  }

  /** Whether connections wait for a lane. */
  #isAwaited(): boolean {
    return this.#outage.waiting(this.#sessions.tunnels) !== null;
  }

  /** While links come and go, lanes are opened beside others that are not known to be dead yet: those that carry nothing make room. */
  #closeSurplus(newest: Lane): void {
    for (const lane of [...this.#lanes]) {
      if (this.#lanes.size <= this.#options.limits.lanesMost) return;
      if (lane !== newest && lane.streams === 0) lane.close();
    }
  }

  /** Gives up a running attempt, which may hang on a network that is gone, and begins another. */
  #again(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.abort(new LaneLostError());
    this.#begin();
  }

  #opened(lane: Lane, attempt: AbortController): void {
    if (this.#closed || this.#retired || this.#attempt !== attempt || lane.state === 'closed') {
      lane.close();
      if (this.#attempt === attempt) this.#failed(new LaneLostError(), attempt);
      return;
    }
    this.#attemptEnded();
    this.#lanes.add(lane);
    this.#noteProtocol(lane);
    this.#closeSurplus(lane);
    this.#closeStale();
    this.#watchKernel();
    void this.#survey?.run();
    this.#failure = undefined;
    this.#settle();
    this.#growIfNeeded();
    // A relay that takes connections and drops them at once must not be hammered: the pause is forgotten later.
    this.#options.clock.after(forgetBackOffMs, () => {
      if (this.#lanes.has(lane)) this.#backOff.reset();
    });
  }

  /** A relay of an older release: what is open does not outlive its lane there. */
  #noteProtocol({ protocol }: Lane): void {
    const { pairing, logger } = this.#options;
    const before = this.#protocol;
    this.#protocol = protocol;
    if (!pairing.isRelay || protocol === before || (before === undefined && protocol === sessionProtocol))
      return;
    const fields = { relay: this.#address, protocol };
    if (protocol === sessionProtocol) logger.info(fields, 'the relay has sessions by now');
    else logger.warn(fields, olderRelay);
  }

  #failed(cause: unknown, attempt: AbortController): void {
    if (this.#attempt !== attempt) return;
    this.#attemptEnded();
    if (this.#closed || this.#retired) return;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    this.#failure = error;
    this.#options.forgetName?.(this.#options.pairing.address.host);
    const { refusedRetryMs, backOffAwaitedMs } = this.#options.limits;
    const pause = this.#backOff.next();
    const most = this.#isAwaited() ? backOffAwaitedMs : pause;
    this.#retryLater(isRefusal(error) ? refusedRetryMs : Math.min(pause, most));
    this.#settle();
  }

  /** The relay has stopped to take this gateway: what is open may go on, nothing new is tried for a while. */
  #refused(error: RelayRefusedError): void {
    this.#failure = error;
    for (const lane of [...this.#lanes]) if (lane.streams === 0) lane.close();
    this.#settle();
  }

  #attemptEnded(): void {
    this.#attempt = undefined;
    this.#lastAttemptEnded = this.#options.clock.now();
  }

  #retryLater(pause: number): void {
    const { clock } = this.#options;
    this.#retry?.cancel();
    this.#retryAt = clock.now() + pause;
    this.#retry = clock.after(pause, () => this.#begin());
  }

  #laneChanged(lane: Lane): void {
    if (!this.#lanes.has(lane)) return;
    if (lane.state === 'closed') {
      this.#lanes.delete(lane);
      const { streams, failure } = lane;
      if (this.#sessions.tunnels > 0) this.#outage.lost();
      this.#options.logger.debug(
        { lanes: this.#lanes.size, streams, cause: errorMessage(failure?.cause) },
        'a lane to the relay closed',
      );
    }
    if (this.#closed) return;
    if (this.#retired) {
      if (lane.state !== 'closed' && lane.streams === 0) lane.close();
      if (this.#lanes.size === 0) this.close();
      return;
    }
    if (lane.state === 'suspect') this.#options.forgetName?.(this.#options.pairing.address.host);
    this.#closeStale();
    this.#growIfNeeded();
    this.#settle();
  }

  /** Has new lanes take the place of some, as soon as they are there. */
  #replace(isStale: (lane: Lane) => boolean): void {
    const found = this.#usable().filter(isStale);
    if (found.length === 0) return;
    for (const lane of found) this.#stale.add(lane);
    this.#growIfNeeded();
  }

  #closeStale(): void {
    if (!this.#current().some(({ state }) => state === 'ready')) return;
    for (const lane of [...this.#lanes]) {
      if (this.#stale.has(lane) && (lane.streams === 0 || lane.movesTunnels === true)) lane.close();
    }
  }

  /** While lanes are plain TCP because Multipath TCP is off in the kernel, it is looked whether it still is. */
  #watchKernel(): void {
    if (this.#kernelCheck !== undefined || this.#closed || this.#retired) return;
    if (!this.#current().some(isPlainByKernel)) return;
    this.#kernelCheck = this.#options.clock.after(this.#options.limits.kernelCheckMs, () => {
      this.#kernelCheck = undefined;
      if (multipathSupport() === 'multipath') this.#replace(isPlainByKernel);
      else this.#watchKernel();
    });
  }

  /** Another lane when there are too few, or every one is busy with a bulk transfer or does not answer. */
  #growIfNeeded(): void {
    const { limits } = this.#options;
    const lanes = this.#current().filter(lane => lane.state !== 'draining');
    const least = lanes.some(lane => lane.capacity === Number.POSITIVE_INFINITY) ? 1 : limits.lanesLeast;
    const wanted =
      lanes.length < least ||
      (lanes.length < limits.lanesMost && needsAnotherLane(lanes, limits.bulkBytesPerSecond));
    if (wanted && this.#retry === undefined) this.#begin();
    this.#watchGrowth();
  }

  /** Tunnels become bulk transfers after they were given a lane: looked at while there are any. */
  #watchGrowth(): void {
    if (this.#growth !== undefined || this.#closed || this.#retired) return;
    if ([...this.#lanes].every(lane => lane.streams === 0)) return;
    this.#growth = this.#options.clock.after(this.#isQuiet() ? quietGrowthCheckMs : growthCheckMs, () => {
      this.#growth = undefined;
      for (const lane of this.#lanes) lane.tend();
      this.#growIfNeeded();
    });
  }

  /** Whether tunnels are open and nothing moves in them, as with the connections that browsers keep. */
  #isQuiet(): boolean {
    const now = this.#options.clock.now();
    if (now - this.#openedAt < quietMs) return false;
    if ([...this.#lanes].some(({ rate }) => rate >= quietBytesPerSecond)) this.#movedAt = now;
    return now - this.#movedAt >= quietMs;
  }

  #checkLater(): void {
    const { clock, limits } = this.#options;
    this.#checks = clock.after(limits.laneCheckMs, () => {
      for (const lane of this.#lanes) {
        if (this.#isSuperfluous(lane)) lane.close();
        else lane.check(limits.laneAnswerMs);
      }
      if (!this.#closed) this.#checkLater();
    });
  }

  #isSuperfluous(lane: Lane): boolean {
    const { clock, limits } = this.#options;
    const unused = lane.streams === 0 && clock.now() - lane.idleSince >= limits.laneIdleMs;
    return unused && this.#usable().length > limits.lanesLeast;
  }

  #usable(): Lane[] {
    return [...this.#lanes].filter(({ state }) => state === 'ready' || state === 'suspect');
  }

  /** Whether there is a lane that is not known to be silent. */
  #isAnswering(): boolean {
    return this.#usable().some(({ state }) => state === 'ready');
  }

  /** Whether a path is there that is not known to be dead, or none is needed. */
  #hasNetwork(): boolean {
    const { steward, pairing } = this.#options;
    if (steward === undefined || addressScope(pairing.address.host) === 'loopback') return true;
    return steward.outlooks().some(({ health }) => health !== 'dead');
  }

  /** The addresses of this host on its paths; `undefined` where nobody knows them. */
  #ownAddresses(): ReadonlySet<string> | undefined {
    const outlooks = this.#options.steward?.outlooks();
    return outlooks && new Set(outlooks.flatMap(({ path }) => path.addresses.map(({ address }) => address)));
  }

  /** The lanes that are as new ones would be. */
  #current(): Lane[] {
    return [...this.#lanes].filter(lane => !this.#stale.has(lane));
  }

  #settle(): void {
    const before = this.#state;
    this.#state = this.#judge();
    this.#noteOutage();
    if (this.#state !== before) {
      const level = this.#state === 'away' || this.#state === 'refused' ? 'warn' : 'info';
      const fields = {
        relay: this.#address,
        ...(this.#failure ? { reason: errorMessage(this.#failure) } : {}),
      };
      this.#options.logger[level](fields, `the relay is ${this.#state}`);
      this.#options.onChange?.();
    }
    this.#wake();
  }

  #noteOutage(): void {
    const lanes = [...this.#lanes];
    this.#outage.note({
      answers: lanes.some(({ state }) => state === 'ready' || state === 'draining'),
      tunnels: this.#sessions.tunnels,
      heardAt: lanes.length === 0 ? undefined : Math.max(...lanes.map(({ heardAt }) => heardAt)),
    });
  }

  #resumed(connections: number, stallMs: number): void {
    this.#options.logger.info(
      { relay: this.#address, connections, stallMs },
      'connections went on over a new connection to the relay',
    );
    this.#options.onResumed?.(connections, stallMs);
  }

  #judge(): RelayState {
    const usable = this.#usable();
    if (this.#isRefused()) return 'refused';
    if (usable.some(({ state }) => state === 'ready'))
      return this.#failure === undefined ? 'ready' : 'degraded';
    if (usable.length > 0) return 'degraded';
    return this.#failure === undefined ? 'connecting' : 'away';
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}

/** How long a lane must live until the pauses between attempts begin anew. */
const forgetBackOffMs = 5_000;
/** How often lanes with tunnels are looked at for bulk transfers. */
const growthCheckMs = 250;
/** The same while next to nothing moves in them, and what that is. */
const quietGrowthCheckMs = 1000;
const quietBytesPerSecond = 1000;
/** How long that is to last, in milliseconds. */
const quietMs = 5000;

const olderRelay =
  'the relay is of an older release: what is open breaks off when its connection to the relay does; install this release there too';

const noNetwork = 'no path out of this machine works at the moment';

function isRefusal(error: Error): boolean {
  return error instanceof RelayRefusedError || error instanceof RelayUntrustedError;
}

function localAddresses(socket: Socket): string[] {
  return info(socket).subflows.map(({ local }) => local.address);
}

/** Whether no subflow of a lane has an address that this host still has. */
function isElsewhere({ socket }: Lane, own: ReadonlySet<string> | undefined): boolean {
  if (own === undefined || socket === undefined) return false;
  const local = localAddresses(socket);
  return local.length > 0 && !local.some(address => own.has(address));
}

const byKernel = new Set<InfoReason>(['switched-off', 'kernel-without-mptcp', 'blocked']);

function isPlainByKernel({ socket }: Lane): boolean {
  return socket !== undefined && byKernel.has(info(socket).reason);
}

function laneStatus(lane: Lane): LaneStatus {
  const { mptcp, multipath, subflows } =
    lane.socket === undefined ? { mptcp: false, multipath: false, subflows: [] } : socketStatus(lane.socket);
  return {
    state: lane.state === 'draining' ? 'draining' : 'ready',
    protocol: lane.protocol,
    streams: lane.streams,
    mptcp,
    multipath,
    subflows,
  };
}
