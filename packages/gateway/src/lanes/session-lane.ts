import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { type Authority, type Clock, formatAuthority, type Pairing, type Timer } from '@manypath/core';
import { info } from '@manypath/mptcp';
import type { Carrier, Session } from '@manypath/session';
import { CarrierSocket, HelloError, refusals, sayHello, sessionProtocol } from '@manypath/transport';
import { LaneLostError, RelayRefusedError } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import { type GatewaySessions, type OwnSession, SessionForgottenError } from './gateway-sessions.ts';
import type { Lane, LaneEvents, LaneState, Tunnel, TunnelOptions } from './lane.ts';
import type { LaneSocket } from './lane-socket.ts';
import { RateMeter } from './rate-meter.ts';
import { SessionTunnel, type TunnelOpening } from './session-tunnel.ts';

export interface SessionLaneOptions {
  readonly pairing: Pairing;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly events: LaneEvents;
  readonly sessions: GatewaySessions;
  /** Bytes that may wait for the reader of a tunnel. Default: as many as its session lets. */
  readonly aheadBytes?: number | undefined;
  /** Told when something is sent on the lane after it was quiet for a while: a transfer may begin. */
  readonly onActivity?: (() => void) | undefined;
  /** Told when the lane does not answer: what was sent on it, and all that comes after it, may be too large for the paths. */
  readonly onStalled?: (() => void) | undefined;
}

/** A lane that is a carrier of a session: its tunnels go on over others when it is lost. */
export class SessionLane implements Lane {
  readonly protocol = sessionProtocol;
  readonly socket: Socket;
  readonly #options: SessionLaneOptions;
  readonly #own: OwnSession;
  readonly #stream: TLSSocket;
  readonly #connection: CarrierSocket;
  readonly #carrier: Carrier;
  readonly #opening: TunnelOpening & { firstWindowBytes: number | undefined };
  readonly #meter = new RateMeter();
  #state: LaneState = 'ready';
  #idleSince: number;
  #activeAt = Number.NEGATIVE_INFINITY;
  #checking: Timer | undefined;
  #unansweredSince: number | undefined;
  #failure: Error | undefined;

  /**
   * Has both ends make sure of each other, and becomes a carrier of the session that goes on, or of a new one.
   *
   * @throws RelayRefusedError `MANYPATH_RELAY_REFUSED`
   * @throws LaneLostError `MANYPATH_LANE_LOST`
   */
  static async open(
    socket: LaneSocket,
    options: SessionLaneOptions,
    signal: AbortSignal,
  ): Promise<SessionLane> {
    const stream = socket.stream as TLSSocket;
    const known = options.sessions.current;
    try {
      return (
        (known && (await resume(socket, known, options, signal))) ?? (await begin(socket, options, signal))
      );
    } catch (error) {
      stream.destroy();
      socket.raw.destroy();
      signal.throwIfAborted();
      throw error instanceof RelayRefusedError ? error : new LaneLostError(error);
    }
  }

  constructor(
    { stream, raw }: LaneSocket,
    own: OwnSession,
    number: number,
    rest: Uint8Array,
    options: SessionLaneOptions,
  ) {
    this.socket = raw;
    this.#options = options;
    this.#own = own;
    this.#stream = stream as TLSSocket;
    this.#idleSince = options.clock.now();
    this.#connection = new CarrierSocket(this.#stream);
    raw.on('error', error => this.#lost(error));
    this.#carrier = this.#connection.carry(own.session, number, rest, cause => this.#lost(cause));
    lanesOf.set(this.#carrier, this);
    this.#opening = this.#openingOfTunnels();
  }

  get state(): LaneState {
    return this.#state === 'ready' && this.#own.session.isGoingAway ? 'draining' : this.#state;
  }

  get streams(): number {
    const { tunnels } = this.#carrier;
    if (tunnels > 0) this.#idleSince = this.#options.clock.now();
    return tunnels;
  }

  get capacity(): number {
    return this.#own.session.limits.tunnels;
  }

  get rate(): number {
    this.#meter.sample(this.#carrier.bytesIn + this.#carrier.bytesOut, this.#options.clock.now());
    return this.#meter.rate;
  }

  get idleSince(): number {
    return this.#idleSince;
  }

  get heardAt(): number {
    return this.#carrier.heardAt;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Whether what it carries goes on over another lane when it is closed. */
  get movesTunnels(): boolean {
    return this.#own.session.carriers.length > 1;
  }

  open(target: Authority, options: TunnelOptions, early = false): Tunnel {
    if (this.#state === 'closed' || this.#own.session.isOver) throw new LaneLostError(this.#failure);
    this.#noteActivity();
    return new SessionTunnel(target, options, this.#opening, early);
  }

  /** Who acknowledges nothing, or stops to send in the middle of a transfer, is asked for a sign of life. */
  tend(): void {
    const { clock, limits } = this.#options;
    if (this.#state === 'ready' && isBare(this.socket)) this.check(0);
    if (this.#unansweredSince !== undefined) return;
    const { heardAt, sentAt, isOwed } = this.#carrier;
    const isBulk = this.rate >= limits.bulkBytesPerSecond;
    const since = isOwed ? Math.max(heardAt, sentAt) : isBulk ? heardAt : clock.now();
    if (clock.now() - since < limits.laneDoubtMs) return;
    // Who sent it far away, or into full queues, waits for as long as the last answer took, several times over.
    this.check(Math.max(limits.laneDoubtMs, 4 * roundTripMs(this.socket)));
  }

  /** Has the relay send no more than so many bytes ahead in each tunnel that is opened; `undefined`: as much as there is memory for. */
  hold(openingBytes: number | undefined): void {
    this.#opening.firstWindowBytes = openingBytes;
  }

  check(answerMs: number): void {
    if (this.#state === 'closed') return;
    const { clock } = this.#options;
    this.#unansweredSince ??= clock.now();
    this.#own.session.ping(this.#carrier, Math.floor(clock.now()));
    this.#checking?.cancel();
    this.#checking = clock.after(answerMs, () => this.#lookForAnswer());
  }

  /** Something came that was asked for. */
  answered(): void {
    this.#unansweredSince = undefined;
    this.#checking?.cancel();
    if (this.#state !== 'suspect') return;
    this.#state = 'ready';
    this.#options.events.changed(this);
  }

  close(): void {
    this.#lost(undefined);
  }

  #openingOfTunnels(): TunnelOpening & { firstWindowBytes: number | undefined } {
    const { clock, limits, aheadBytes } = this.#options;
    return {
      session: this.#own.session,
      carrier: this.#carrier,
      clock,
      answerMs: limits.relayAnswerMs,
      windowBytes: aheadBytes,
      firstWindowBytes: undefined,
      socketOf: ({ carrier }) => (carrier && lanesOf.get(carrier)?.socket) ?? this.socket,
      isSilent: ({ carrier }) => carrier !== undefined && lanesOf.get(carrier)?.state === 'suspect',
      tunnelOver: ({ carrier }) => ((carrier && lanesOf.get(carrier)) ?? this).#tunnelOver(),
    };
  }

  /** Who waits for room, or for the last tunnel to end, is told; nobody else cares. */
  #tunnelOver(): void {
    const { tunnels } = this.#carrier;
    if (this.#state === 'closed') return;
    if (tunnels === 0 || tunnels >= this.capacity - 1) this.#options.events.changed(this);
  }

  #lookForAnswer(): void {
    const { clock, limits } = this.#options;
    if (this.#unansweredSince === undefined || this.#state === 'closed') return;
    const silentMs = clock.now() - this.#unansweredSince;
    // An answer may be stuck behind a bulk transfer; what matters is that something arrives.
    if (this.#carrier.heardAt > this.#unansweredSince) {
      this.answered();
      return;
    }
    if (this.#state === 'ready') this.#options.onStalled?.();
    if (this.movesTunnels || silentMs >= limits.laneSilenceMs) {
      this.#lost(new Error(`no answer for ${Math.round(silentMs)} ms`));
    } else {
      this.#doubt();
      this.#checking = clock.after(suspectCheckMs, () => this.#lookForAnswer());
    }
  }

  #doubt(): void {
    if (this.#state !== 'ready') return;
    this.#state = 'suspect';
    this.#options.events.changed(this);
  }

  /** Its session is over: the connection closes by itself, when the other end has been told. */
  sessionOver(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#failure = new LaneLostError();
    this.#checking?.cancel();
    this.#options.events.changed(this);
  }

  #lost(failure: unknown): void {
    this.#connection.close();
    this.socket.destroy();
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#failure = new LaneLostError(failure);
    this.#checking?.cancel();
    this.#options.events.changed(this);
  }

  #noteActivity(): void {
    const now = this.#options.clock.now();
    const wasQuiet = now - this.#activeAt > quietMs;
    this.#activeAt = now;
    if (wasQuiet) this.#options.onActivity?.();
  }
}

/** Which lane a carrier is. */
const lanesOf = new WeakMap<Carrier, SessionLane>();

/** An answer to a ping came on a carrier. */
export function pongOn(carrier: Carrier): void {
  lanesOf.get(carrier)?.answered();
}

/** The session of a carrier is over. */
export function overOn(carrier: Carrier): void {
  lanesOf.get(carrier)?.sessionOver();
}

/** The lanes that carry a session. */
export function lanesCarrying(session: Session): SessionLane[] {
  return session.carriers.flatMap(carrier => lanesOf.get(carrier) ?? []);
}

/** @returns `undefined` when the relay does not know the session any more; then it takes another HELLO. */
async function resume(
  socket: LaneSocket,
  own: OwnSession,
  options: SessionLaneOptions,
  signal: AbortSignal,
): Promise<SessionLane | undefined> {
  const number = own.nextCarrier++;
  try {
    const answer = await ask(socket, number, own, options, signal);
    if (answer === undefined) {
      options.sessions.forget(own, new SessionForgottenError());
      return undefined;
    }
    return new SessionLane(socket, own, number, answer.rest, options);
  } catch (error) {
    own.session.giveUp(number);
    throw error;
  }
}

async function begin(
  socket: LaneSocket,
  options: SessionLaneOptions,
  signal: AbortSignal,
): Promise<SessionLane> {
  const answer = await ask(socket, 1, undefined, options, signal);
  if (answer === undefined) throw new HelloError('the relay knows no new session');
  return new SessionLane(socket, options.sessions.begin(answer.welcome), 1, answer.rest, options);
}

/** Says HELLO. @returns `undefined` when there is no such session. */
async function ask(
  { stream }: LaneSocket,
  carrier: number,
  own: OwnSession | undefined,
  { pairing: { address, user, secret } }: SessionLaneOptions,
  signal: AbortSignal,
) {
  const answer = await sayHello(stream as TLSSocket, { carrier, user, secret, session: own?.known }, signal);
  if (!('refused' in answer)) return answer;
  const { code, words } = answer.refused;
  if (code === refusals.noSession) return undefined;
  if (code === refusals.notPaired)
    throw new RelayRefusedError(formatAuthority(address), 'the secret is wrong');
  throw new HelloError(words);
}

/** A lane on which nothing was opened for so long is quiet, in milliseconds. */
const quietMs = 1000;
/** How often a lane that did not answer is looked at, in milliseconds. */
const suspectCheckMs = 250;

/** Whether all subflows are gone, as when something on the way resets them: the kernel waits for others for a minute. */
function isBare(socket: Socket): boolean {
  const { multipath, subflows } = info(socket);
  return multipath && !subflows.some(({ state }) => state === 'established');
}

function roundTripMs(socket: Socket): number {
  return Math.max(0, ...info(socket).subflows.map(({ rttMs }) => rttMs));
}
