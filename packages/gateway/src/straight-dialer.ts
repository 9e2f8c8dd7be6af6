import type { Socket } from 'node:net';
import { type Authority, type Clock, localPlaceOf } from '@manypath/core';
import {
  AddressRefusedError,
  ConnectError,
  ConnectTimeoutError,
  info,
  type Lookup,
  resetSocket,
} from '@manypath/mptcp';
import {
  type DialledSocket,
  type DialOptions,
  dialOverPaths,
  type Path,
  type PathOutlook,
  PathResolver,
  type PathSet,
  Spreader,
  type Steward,
  WinnerMemory,
} from '@manypath/paths';
import { LocalTargetError } from './errors.ts';
import type { KernelRoutes } from './kernel-routes.ts';
import type { GatewayLimits } from './limits.ts';
import { OriginInterest, type OriginMemory } from './origins/origin-memory.ts';
import { PacketWatch } from './packet-watch.ts';
import type { Rule } from './rules.ts';
import { StraightWay } from './ways/straight-way.ts';

/** Who knows how the paths stand; `PathSet` of @manypath/paths does. */
export interface PathKnowledge {
  outlooks?(): readonly PathOutlook[];
  /** A path was silent where another one answered. */
  doubt?(name: string): void;
  /** A path answered, after `rttMs` milliseconds. */
  works?(name: string, rttMs?: number): void;
  /** Finds out whether packets as large as those of a connection pass over a path. */
  examineSizes?: PathSet['examineSizes'];
}

export interface StraightDialerOptions {
  readonly paths: PathKnowledge | undefined;
  /** Default: names are looked up over the paths, see `PathResolver`. */
  readonly lookup: Lookup | undefined;
  readonly origins: OriginMemory;
  /** Whether origins that the relay carries much for are asked whether they speak Multipath TCP. */
  readonly asksOrigins: boolean;
  /** Whether an address is of this machine or of a network it is on. */
  readonly isLocal: (address: string) => boolean;
  readonly steward: Steward | undefined;
  /** Stays its owner's to close. */
  readonly routes: KernelRoutes;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
}

export interface StraightRequest {
  readonly target: Authority;
  readonly rule: Rule | undefined;
  readonly signal: AbortSignal;
  readonly filterAddress?: (address: string) => Error | undefined;
}

/**
 * Dials straight to origins, over whichever path answers; spreads connections over the paths and learns which
 * origins speak Multipath TCP.
 */
export class StraightDialer {
  /** Looks names up; for others who dial, too. */
  readonly lookup: Lookup;
  /** What dials taught of the paths; for others who dial, too. */
  readonly remembered: WinnerMemory;
  readonly #options: StraightDialerOptions;
  readonly #spreader: Spreader;
  readonly #interest: OriginInterest;
  readonly #resolver: PathResolver;
  readonly #onOutcome: NonNullable<DialOptions['onOutcome']>;
  readonly #examineSizes: PathKnowledge['examineSizes'];
  readonly #stop = new AbortController();
  /** One at a time: it is never urgent. */
  #asking = false;

  constructor(options: StraightDialerOptions) {
    this.#options = options;
    this.remembered = new WinnerMemory(options.clock);
    this.#spreader = new Spreader(options.clock);
    this.#interest = new OriginInterest(options.clock, options.limits);
    this.#examineSizes = options.paths?.examineSizes?.bind(options.paths);
    this.#onOutcome = (name, outcome, rttMs) => {
      if (outcome === 'silent') options.paths?.doubt?.(name);
      else options.paths?.works?.(name, rttMs);
    };
    this.#resolver = new PathResolver({
      outlooks: () => this.#outlooks(),
      remembered: this.remembered,
      askRoute: (address, question) => options.routes.ask?.(address, question),
      onOutcome: this.#onOutcome,
      clock: options.clock,
    });
    this.lookup = options.lookup ?? this.#resolver.lookup;
  }

  /**
   * @throws NoPathError `MANYPATH_NO_PATH`
   * @throws what `connect` of @manypath/mptcp throws
   */
  async dial({ target, rule, signal, filterAddress }: StraightRequest): Promise<StraightWay> {
    const { origins, limits, steward } = this.#options;
    const outlooks = this.#outlooks();
    const speaks = origins.speaksMultipath(target) === true;
    // Within this computer there is one path.
    const mptcp = rule?.route !== 'tcp' && localPlaceOf(target.host) !== 'this computer';
    const openSocket = speaks && mptcp ? steward?.openSocket : undefined;
    // What aggregates anyway begins on the best path; what has one path only, on the one that has room.
    const prefer = speaks ? steward?.preferred()[0]?.path.name : this.#spreader.choose(outlooks, target.host);
    const dialled = await dialOverPaths({
      ...target,
      outlooks: () => this.#outlooks(),
      remembered: this.remembered,
      prefer,
      only: (rule?.paths && namesOf(rule.paths, outlooks)) ?? steward?.only,
      lookup: this.lookup,
      signal,
      timeout: limits.dialMs,
      mptcp,
      allowHalfOpen: true,
      filterAddress,
      openSocket,
      joinsBothFamilies: openSocket !== undefined,
      askRoute: this.#options.routes.ask,
      onOutcome: this.#onOutcome,
      examineSizes: this.#examineSizes,
    });
    const multipath = mptcp && this.#learn(target, dialled);
    const { socket, path } = dialled;
    return new StraightWay(socket, received => {
      steward?.account(socket, dialled.addresses);
      if (multipath && openSocket !== undefined) steward?.steer(socket, { isInUse: () => true });
      if (path === undefined) return () => {};
      const placement = this.#spreader.placed(target.host, path.name, received);
      const watch = this.#watchPackets(socket, path);
      return () => {
        watch?.close();
        placement.end();
      };
    });
  }

  /** Notes what the relay carried for an origin, and asks the origin itself when that was much. */
  carriedByRelay(target: Authority, { bytesIn, bytesOut }: { bytesIn: number; bytesOut: number }): void {
    if (!this.#options.asksOrigins || this.#stop.signal.aborted) return;
    if (this.#options.origins.speaksMultipath(target) !== undefined) return;
    if (this.#asking || !this.#interest.carried(target, bytesIn + bytesOut)) return;
    this.#asking = true;
    void this.#ask(target).finally(() => {
      this.#asking = false;
    });
  }

  /** See {@link PathResolver.ownAddresses}. */
  ownAddresses(host: string): Promise<readonly string[]> {
    return this.#resolver.ownAddresses(host);
  }

  /** See {@link PathResolver.addressesHere}. */
  addressesHere(host: string): Promise<readonly string[]> {
    return this.#resolver.addressesHere(host);
  }

  /** Whether the user wrote a name into the hosts file. */
  isInHosts(host: string): Promise<boolean> {
    return this.#resolver.isInHosts(host);
  }

  /** What the hosts file says now is what the browser knows. */
  noteHosts(): Promise<void> {
    return this.#resolver.noteHosts();
  }

  /** Whether the user has written a name into the hosts file since then. */
  isNewInHosts(host: string): Promise<boolean> {
    return this.#resolver.hasChangedInHosts(host);
  }

  /** What a name led to is not to be reached any more: it is looked up anew the next time. */
  forgetName(host: string): void {
    this.#resolver.forgetName(host);
  }

  /** Links, addresses or routes changed: names may lead elsewhere. */
  networkChanged(): void {
    this.#resolver.forget();
    this.healthChanged();
  }

  /** Paths that were tried and found to work are not doubted any more. */
  healthChanged(): void {
    for (const { path, health } of this.#outlooks()) if (health === 'up') this.remembered.answered(path);
  }

  close(): void {
    this.#stop.abort();
  }

  /** Connects, sees whether that is Multipath TCP, and hangs up. */
  async #ask(target: Authority): Promise<void> {
    const { limits, origins, isLocal } = this.#options;
    try {
      const dialled = await dialOverPaths({
        ...target,
        outlooks: () => this.#outlooks(),
        remembered: this.remembered,
        lookup: this.lookup,
        signal: this.#stop.signal,
        timeout: limits.originCheckMs,
        // Nobody asked for this connection: it must not reach into the local network by a name of somebody's choice.
        filterAddress: address => (isLocal(address) ? new LocalTargetError(address) : undefined),
        askRoute: this.#options.routes.ask,
      });
      this.#learn(target, dialled);
      resetSocket(dialled.socket);
    } catch (error) {
      // It cannot be reached from here while others can: the relay's way is the only one. What was given up says nothing.
      if (!this.#stop.signal.aborted && isUnreachable(error) && this.#hasWorkingPath()) {
        origins.learn(target, false);
      }
    }
  }

  #hasWorkingPath(): boolean {
    const outlooks = this.#outlooks();
    return outlooks.length === 0 || outlooks.some(({ health }) => health === 'up' || health === 'degraded');
  }

  #watchPackets(socket: Socket, { name }: Path): PacketWatch | undefined {
    const { clock, limits } = this.#options;
    const examineSizes = this.#examineSizes;
    if (examineSizes === undefined) return undefined;
    return new PacketWatch({ socket, path: name, examineSizes, clock, stalledMs: limits.stalledMs });
  }

  #learn(target: Authority, { socket }: DialledSocket): boolean {
    const { multipath, reason } = info(socket);
    if (multipath || reason === 'peer-refused') this.#options.origins.learn(target, multipath);
    return multipath;
  }

  #outlooks(): readonly PathOutlook[] {
    return this.#options.steward?.outlooks() ?? this.#options.paths?.outlooks?.() ?? [];
  }
}

/** Whether an origin did not answer, or not as one that can be reached does: all other failures are our own. */
function isUnreachable(error: unknown): boolean {
  return (
    error instanceof ConnectError ||
    error instanceof ConnectTimeoutError ||
    error instanceof AddressRefusedError
  );
}

/** The names that a rule means: of interfaces, or of all of a kind. */
function namesOf(wanted: readonly string[], outlooks: readonly PathOutlook[]): string[] {
  return wanted.flatMap(word => {
    const kind = /^kind:(.*)$/.exec(word)?.[1];
    if (kind === undefined) return [word];
    return outlooks.filter(({ path }) => path.kind === kind).map(({ path }) => path.name);
  });
}
