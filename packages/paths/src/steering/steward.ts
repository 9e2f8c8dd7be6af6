import type { Socket } from 'node:net';
import { type Clock, errorMessage, type Logger, systemClock, unmappedAddress } from '@manypath/core';
import { info, type OpenDescriptor, openMptcpSocket } from '@manypath/mptcp';
import type { PathOutlook } from '../outlook.ts';
import type { PathSet } from '../path-set.ts';
import { CarriedRates } from './carried-rates.ts';
import type { CarriedRate } from './rate-watch.ts';
import { planRoles } from './roles.ts';
import { SteeredConnection } from './steered-connection.ts';
import type { SteeringRights } from './steering-rights.ts';

/** What a {@link Steward} works with. */
export interface StewardOptions {
  readonly paths: Pick<
    PathSet,
    'outlooks' | 'onChange' | 'doubt' | 'works' | 'alive' | 'examineSizes' | 'pathOf' | 'trafficOf'
  >;
  /** `undefined` where single connections cannot be steered: then the kernel's path manager does what it can. */
  readonly rights: SteeringRights | undefined;
  readonly logger: Logger;
  /** Paths that the user named: no connection leaves by another one. */
  readonly only?: readonly string[] | undefined;
  /** Told of every connection out of this host, once, as soon as it carries something. */
  readonly onConnection?: (socket: Socket) => void;
  /** Has what was measured remembered beyond this process. */
  readonly onMeasured?: (outlook: PathOutlook, measured: MeasuredPath) => void;
  readonly clock?: Clock;
}

/** What a user of a steered connection tells of it. */
export interface SteeringHints {
  /** Whether a transfer may begin at any moment. */
  readonly isInUse: () => boolean;
  /** Has something small sent to the other side. */
  readonly ping?: () => void;
  /** Told how much the other side had better send ahead, in bytes; `undefined` for as much as it likes. */
  readonly onOpeningWindow?: (bytes: number | undefined) => void;
}

/** What was measured of a path; what is left out is not known. */
export interface MeasuredPath {
  readonly rttMs?: number;
  readonly downMbps?: number;
  readonly upMbps?: number;
}

/** Steers the connections of this process over the paths of this host, and looks at them all when those change. */
export class Steward {
  readonly #options: StewardOptions;
  readonly #connections = new Map<Socket, SteeredConnection>();
  readonly #unsubscribe: () => void;
  readonly #failoverListeners = new Set<(path: string, stallMs: number) => void>();
  /** What the other sides of connections can be reached by. */
  readonly #addresses = new WeakMap<Socket, readonly string[]>();
  /** What was measured since the start, by path and network. */
  readonly #measured = new Map<string, MeasuredPath>();
  readonly #carried = new CarriedRates();
  readonly #clock: Clock;

  constructor(options: StewardOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#unsubscribe = options.paths.onChange(() => this.#lookAtAll());
  }

  /**
   * Makes the sockets of connections that can be steered, where they can be now; to be given to `connect` of @manypath/mptcp. Where that fails, because
   * the helper went away or Multipath TCP is off, the kernel's own path manager has the socket, if there is one at all.
   */
  get openSocket(): OpenDescriptor | undefined {
    const { rights } = this.#options;
    if (!rights?.isThere) return undefined;
    return async family => {
      try {
        return await rights.openSocket(family);
      } catch (error) {
        this.#options.logger.debug({ error: errorMessage(error) }, 'a connection cannot be steered');
        return openMptcpSocket(family);
      }
    };
  }

  /** The paths with what is known of them; what was measured just now goes before what is remembered, and what was seen before both. */
  outlooks(): readonly PathOutlook[] {
    const now = this.#clock.now();
    return this.#options.paths.outlooks().map(outlook => {
      const place = placeOf(outlook);
      return this.#carried.raise({ ...outlook, ...this.#measured.get(place) }, place, now);
    });
  }

  /** Whether a path was measured since the start. */
  hasMeasured(outlook: PathOutlook): boolean {
    return this.#measured.has(placeOf(outlook));
  }

  /** As of `PathSet`. */
  trafficOf({ path }: PathOutlook): number | undefined {
    return this.#options.paths.trafficOf(path.name);
  }

  /** Takes in what was measured of a path. */
  note(outlook: PathOutlook, measured: MeasuredPath): void {
    const place = placeOf(outlook);
    this.#measured.set(place, { ...this.#measured.get(place), ...measured });
    this.#options.onMeasured?.(outlook, measured);
    this.#lookAtAll();
  }

  /** Paths that the user named; `undefined` when all may be used. */
  get only(): readonly string[] | undefined {
    return this.#options.only;
  }

  /** The paths, with the one first that a new connection had best begin on. */
  preferred(): readonly PathOutlook[] {
    const outlooks = this.outlooks();
    const { lead } = planRoles(outlooks, 0);
    const first = outlooks.find(({ path }) => path.name === lead);
    return first === undefined ? outlooks : [first, ...outlooks.filter(outlook => outlook !== first)];
  }

  /** Takes in how a path did when something was dialled. @param rttMs Time of the handshake, in milliseconds. */
  tell(path: string, outcome: 'answered' | 'silent', rttMs?: number): void {
    if (outcome === 'silent') this.#options.paths.doubt(path);
    else this.#options.paths.works(path, rttMs);
  }

  /** As of `PathSet`. */
  examineSizes(...question: Parameters<PathSet['examineSizes']>): ReturnType<PathSet['examineSizes']> {
    return this.#options.paths.examineSizes(...question);
  }

  /**
   * A connection out of this host begins to carry something: what it carries is counted.
   *
   * @param addresses All that the other side has: paths that do not reach the one that was dialled join by another.
   */
  account(socket: Socket, addresses: readonly string[] = []): void {
    this.#addresses.set(socket, addresses);
    this.#options.onConnection?.(socket);
  }

  /** Takes a connection over whose socket came from {@link openSocket}, until it closes. */
  steer(socket: Socket, hints: SteeringHints): void {
    const { rights, paths, logger } = this.#options;
    const { remoteAddress, remotePort } = socket;
    // What was made without them has its subflows chosen by the kernel.
    if (!rights?.isThere || remoteAddress === undefined || remotePort === undefined) return;
    // What is plain TCP stays that.
    if (!info(socket).multipath) return;
    const dialled = unmappedAddress(remoteAddress);
    const others = (this.#addresses.get(socket) ?? []).filter(address => address !== dialled);
    const remotes = [dialled, ...others].map(address => ({ address, port: remotePort }));
    const connection = new SteeredConnection(socket, remotes, {
      ...hints,
      rights,
      logger,
      outlooks: () => this.outlooks(),
      pathOf: ends => paths.pathOf(ends)?.name,
      onStall: (path, question) => void paths.examineSizes(path, question, true),
      onDoubt: path => paths.doubt(path),
      onAlive: path => paths.alive(path),
      onCarried: (path, rate) => this.#noteCarried(path, rate),
      onFailover: (path, stallMs) => {
        for (const listener of this.#failoverListeners) listener(path, stallMs);
      },
    });
    this.#connections.set(socket, connection);
    socket.once('close', () => this.#connections.delete(socket));
  }

  /**
   * Calls `listener` whenever a connection goes on without a path that had carried a transfer, with the time for which
   * nothing had arrived, in milliseconds. @returns What ends that.
   */
  onFailover(listener: (path: string, stallMs: number) => void): () => void {
    this.#failoverListeners.add(listener);
    return () => void this.#failoverListeners.delete(listener);
  }

  /** Something begins on a connection: it is looked at now. */
  wake(socket: Socket): void {
    this.#connections.get(socket)?.wake();
  }

  /** What was asked for on a connection does not come: are packets too large for its paths? */
  askSizes(socket: Socket): void {
    this.#connections.get(socket)?.askSizes();
  }

  close(): void {
    this.#unsubscribe();
  }

  #noteCarried(name: string, rate: CarriedRate): void {
    const outlook = this.#options.paths.outlooks().find(({ path }) => path.name === name);
    if (outlook !== undefined) this.#carried.note(placeOf(outlook), rate, this.#clock.now());
  }

  #lookAtAll(): void {
    for (const connection of this.#connections.values()) void connection.look();
  }
}

function placeOf({ path }: PathOutlook): string {
  return `${path.name} ${path.network}`;
}
