import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Authority, type Clock, formatAuthority, type Timer } from '@manypath/core';
import { type ForwardLimits, type ReadableLeg, streamLeg } from '@manypath/forward';
import {
  type Carrier,
  resetCodes,
  type Session,
  type Tunnel as SessionsTunnel,
  type TunnelReset,
  type TunnelUser,
} from '@manypath/session';
import { TunnelJoint, TunnelStream, WaitingUser } from '@manypath/transport';
import { LaneLostError, RelayTargetError } from '../errors.ts';
import { type SocketStatus, socketStatus } from '../socket-status.ts';
import { nearEnd } from '../ways/socket-ends.ts';
import type { OnOver } from '../ways/way.ts';
import type { Tunnel, TunnelOptions } from './lane.ts';

/** What opens tunnels of a session: a lane that carries it. */
export interface TunnelOpening {
  readonly session: Session;
  readonly carrier: Carrier;
  readonly clock: Clock;
  /** How long the relay may take to answer, in milliseconds. */
  readonly answerMs: number;
  /** Bytes that may come at first; default: as many as the session lets. */
  readonly windowBytes: number | undefined;
  /** Bytes that may come until some were taken; default: as many as later. */
  readonly firstWindowBytes: number | undefined;
  /** The connection that a tunnel rides on, or rode on last. */
  socketOf(tunnel: SessionsTunnel): Socket;
  /** Whether nothing comes over what it rides on. */
  isSilent(tunnel: SessionsTunnel): boolean;
  /** A tunnel is over. */
  tunnelOver(tunnel: SessionsTunnel): void;
}

/** A tunnel of a session, from its opening on; what comes before somebody uses it is kept. */
export class SessionTunnel implements Tunnel, TunnelUser {
  readonly isRelayed = true;
  /** Who connects to the target is the relay. */
  readonly to = undefined;
  readonly #opening: TunnelOpening;
  readonly #signal: AbortSignal | undefined;
  readonly #tunnel: SessionsTunnel;
  readonly #timer: Timer;
  readonly #waiting = new WaitingUser();
  #user: TunnelUser = this.#waiting;
  #joint: TunnelJoint | undefined;
  #reset: TunnelReset | undefined;
  /** Why the relay has not connected. */
  #failure: unknown;
  #isSettled = false;
  #answered: Promise<void> | undefined;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  /** @param early Whether nobody waits for the answer: then its user breaks it off, and no signal does. */
  constructor(target: Authority, options: TunnelOptions, opening: TunnelOpening, early: boolean) {
    const { session, carrier, windowBytes, firstWindowBytes, clock, answerMs } = opening;
    const { firstBytes, reach } = options;
    this.#opening = opening;
    this.#signal = early ? undefined : options.signal;
    this.#timer = clock.after(answerMs, this.#onLate);
    const request = { kind: 'tcp', target: formatAuthority(target), publicOnly: reach === 'public' } as const;
    this.#tunnel = session.open({ request, user: this, carrier, windowBytes, firstWindowBytes });
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (firstBytes.length > 0) this.#tunnel.write(firstBytes);
  }

  /** See {@link Tunnel.answered}. */
  get answered(): Promise<void> {
    this.#answered ??= this.#whenAnswered();
    return this.#answered;
  }

  get bytesIn(): number {
    return this.#tunnel.bytesIn;
  }

  get bytesOut(): number {
    return this.#tunnel.bytesOut;
  }

  get isHalfClosed(): boolean {
    return this.#tunnel.state === 'half-closed';
  }

  /** Whether it waits for a network: it goes on by itself when there is one. */
  get isWaiting(): boolean {
    return this.#tunnel.isWaiting || this.#opening.isSilent(this.#tunnel);
  }

  get from(): Authority | undefined {
    return nearEnd(this.#socket);
  }

  facts(): SocketStatus {
    return socketStatus(this.#socket);
  }

  join(client: Socket, onOver: OnOver): void {
    this.#joint = new TunnelJoint(client, this.#tunnel, onOver);
    this.#use(this.#joint);
    this.#joint.start();
  }

  asStream(onOver: OnOver): Duplex {
    const stream = new TunnelStream(this.#tunnel);
    stream.on('error', () => {}).once('close', onOver);
    this.#use(stream);
    return stream;
  }

  asLeg(_limits: ForwardLimits, onOver: OnOver): ReadableLeg {
    return streamLeg(this.asStream(onOver));
  }

  /** Its window was told when it was opened. */
  boundAhead(): void {}

  abort(reason: Error): void {
    const reset = { code: resetCodes.cancelled, message: reason.message };
    this.#failure ??= reason;
    if (this.#joint !== undefined) this.#joint.abort(reset);
    else if (this.#tunnel.state !== 'closed') this.#end(reset);
    this.#over();
  }

  onAccepted(): void {
    this.#settle();
    this.#resolve();
  }

  onData(bytes: Uint8Array): void {
    this.#user.onData(bytes);
  }

  onFinish(): void {
    this.#user.onFinish();
  }

  onReset(reset: TunnelReset): void {
    this.#reset = reset;
    this.#failure = failureOf(reset);
    this.#over();
    this.#reject(this.#failure);
    this.#user.onReset(reset);
  }

  onDrain(): void {
    this.#user.onDrain();
  }

  onOver(): void {
    this.#over();
  }

  get #socket(): Socket {
    return this.#opening.socketOf(this.#tunnel);
  }

  /** Gives it its user, who is told what came meanwhile. */
  #use(user: TunnelUser): void {
    this.#user = user;
    this.#waiting.handTo(user);
  }

  #whenAnswered(): Promise<void> {
    if (this.#tunnel.isAccepted) return Promise.resolve();
    const answered =
      this.#reset === undefined
        ? new Promise<void>((resolve, reject) => {
            this.#resolve = resolve;
            this.#reject = reject;
          })
        : Promise.reject(this.#failure);
    // Who does not wait for the answer learns of a refusal as a reset.
    answered.catch(() => {});
    return answered;
  }

  readonly #onLate = (): void =>
    this.#giveUp({ code: resetCodes.timedOut, message: '' }, new LaneLostError());

  readonly #onAbort = (): void =>
    this.#giveUp({ code: resetCodes.cancelled, message: '' }, this.#signal?.reason);

  #giveUp(reset: TunnelReset, reason: unknown): void {
    if (this.#tunnel.isAccepted || this.#tunnel.state === 'closed') return;
    this.#failure = reason;
    this.#end(reset);
    this.#over();
    this.#reject(reason);
  }

  #end(reset: TunnelReset): void {
    this.#reset = reset;
    this.#tunnel.reset(reset);
    this.#user.onReset(reset);
  }

  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#timer.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #over(): void {
    this.#settle();
    this.#opening.tunnelOver(this.#tunnel);
  }
}

/** What a reset before the relay has connected means. */
function failureOf({ code, message }: TunnelReset): Error {
  if (code === resetCodes.sessionOver) return new LaneLostError(new Error(message));
  return new RelayTargetError(statusByCode[code] ?? 502, message === '' ? 'it gave no reason' : message);
}

const statusByCode: Record<number, number> = {
  [resetCodes.refused]: 403,
  [resetCodes.busy]: 503,
  [resetCodes.closing]: 503,
  [resetCodes.timedOut]: 504,
};
