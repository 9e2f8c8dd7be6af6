import type { Socket } from 'node:net';
import { type Authority, type Clock, formatAuthority, type Timer } from '@manypath/core';
import {
  type Carrier,
  resetCodes,
  type Session,
  type Tunnel,
  type TunnelReset,
  type TunnelUser,
} from '@manypath/session';
import { TunnelStream } from '@manypath/transport';
import { LaneLostError, RelayTargetError } from '../errors.ts';
import type { TunnelOptions } from './lane.ts';

export interface SessionTunnelOptions extends TunnelOptions {
  readonly session: Session;
  readonly carrier: Carrier;
  readonly clock: Clock;
  /** How long the relay may take to answer, in milliseconds. */
  readonly answerMs: number;
  /** Bytes that may come at first; default: as many as the session lets. */
  readonly windowBytes?: number | undefined;
  /** Bytes that may come until some were taken; default: as many as later. */
  readonly firstWindowBytes?: number | undefined;
  /** The connection that the tunnel rides on, or rode on last. */
  readonly socketOf: (tunnel: Tunnel) => Socket;
  /** It is over. */
  readonly onOver: () => void;
}

/** A tunnel of a session, from its opening on; what comes before somebody uses it is kept. */
export class SessionTunnel implements TunnelUser {
  readonly tunnel: Tunnel;
  /** Fulfilled when the relay has connected to the target; see `Tunnel` of a lane. */
  readonly answered: Promise<void>;
  readonly #options: SessionTunnelOptions;
  readonly #timer: Timer;
  readonly #came: Uint8Array[] = [];
  #user: TunnelUser | undefined;
  #stream: TunnelStream | undefined;
  #isFinished = false;
  #reset: TunnelReset | undefined;
  #resolve: () => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(target: Authority, options: SessionTunnelOptions) {
    const { session, carrier, clock, answerMs, signal, firstBytes, reach, windowBytes, firstWindowBytes } =
      options;
    this.#options = options;
    this.answered = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who does not wait for the answer learns of a refusal as a reset.
    this.answered.catch(() => {});
    this.#timer = clock.after(answerMs, () => this.#giveUp(resetCodes.timedOut, new LaneLostError()));
    const request = { kind: 'tcp', target: formatAuthority(target), publicOnly: reach === 'public' } as const;
    this.tunnel = session.open({ request, user: this, carrier, windowBytes, firstWindowBytes });
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (firstBytes.length > 0) this.tunnel.write(firstBytes);
  }

  /** The connection that carries it now, or carried it last. */
  get socket(): Socket {
    return this.#options.socketOf(this.tunnel);
  }

  /** It as a stream of Node. */
  get stream(): TunnelStream {
    if (this.#stream === undefined) {
      this.#stream = new TunnelStream();
      this.#stream.use(this.tunnel);
      this.#stream.on('error', () => {});
      this.use(this.#stream);
    }
    return this.#stream;
  }

  /** Gives it its user, who is told what came meanwhile. */
  use(user: TunnelUser): void {
    this.#user = user;
    for (const bytes of this.#came.splice(0)) user.onData(bytes);
    if (this.#reset !== undefined) user.onReset(this.#reset);
    else if (this.#isFinished) user.onFinish();
  }

  /** Breaks it off. */
  abort(): void {
    this.tunnel.reset({ code: resetCodes.cancelled, message: '' });
    this.#over();
  }

  onAccepted(): void {
    this.#settle();
    this.#resolve();
  }

  onData(bytes: Uint8Array): void {
    if (this.#user === undefined) this.#came.push(Uint8Array.from(bytes));
    else this.#user.onData(bytes);
  }

  onFinish(): void {
    this.#isFinished = true;
    this.#user?.onFinish();
  }

  onReset(reset: TunnelReset): void {
    this.#reset = reset;
    this.#over();
    this.#reject(failureOf(reset));
    this.#user?.onReset(reset);
  }

  onDrain(): void {
    this.#user?.onDrain();
  }

  onOver(): void {
    this.#over();
  }

  readonly #onAbort = (): void => this.#giveUp(resetCodes.cancelled, this.#options.signal.reason);

  #giveUp(code: number, reason: unknown): void {
    if (this.tunnel.isAccepted || this.tunnel.state === 'closed') return;
    const reset = { code, message: '' };
    this.tunnel.reset(reset);
    this.#reset = reset;
    this.#over();
    this.#reject(reason);
    this.#user?.onReset(reset);
  }

  #settle(): void {
    this.#timer.cancel();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
  }

  #over(): void {
    this.#settle();
    this.#options.onOver();
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
