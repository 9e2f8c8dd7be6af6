import {
  type Authority,
  type Clock,
  type ConnectionStatus,
  errorMessage,
  formatAuthority,
  type SubflowStatus,
} from '@manypath/core';
import type { Dialect, DialRequest } from './dial-request.ts';
import type { Dialer } from './dialer.ts';
import type { Reach } from './lanes/lane.ts';
import type { OnOver, Way } from './ways/way.ts';

/** Who asked for a connection, and uses it when it is there: the only part of its life that differs. */
export interface Client {
  /** Takes the bytes for the target that are there already; they leave with the request to the relay. */
  takeFirstBytes(): Uint8Array;
  /** Takes back first bytes that could not be sent: they are the first to come again. */
  putBack(bytes: Uint8Array): void;
  /** The way is open: the client is told, and uses it. */
  use(way: Way, onOver: OnOver): void;
  /** There is none. */
  refuse(error: unknown): void;
  /** It is about to be broken off from outside. */
  onAbort?(reason: Error): void;
}

/**
 * One connection of a browser or another program, from its request to its end: dialled, handed to its client, accounted for, ended.
 */
export class Connection implements DialRequest {
  readonly id: number;
  readonly target: Authority;
  readonly dialect: Dialect;
  readonly #clock: Clock;
  readonly #openedAt: number;
  readonly #onEnd: (connection: Connection) => void;
  #dialer: Dialer | undefined;
  #client: Client | undefined;
  #reach: Reach | undefined;
  #way: Way | undefined;
  #failure: unknown;
  #ended = false;
  /** Why it was given up before there was a way. */
  #givenUp: Error | undefined;
  #giveUp: AbortController | undefined;

  constructor(
    about: { id: number; target: Authority; dialect: Dialect },
    clock: Clock,
    onEnd: (connection: Connection) => void,
  ) {
    this.id = about.id;
    this.target = about.target;
    this.dialect = about.dialect;
    this.#clock = clock;
    this.#openedAt = clock.now();
    this.#onEnd = onEnd;
  }

  /**
   * Opens a way for a client and has the client use it. Fulfilled when it does, or was refused; never rejected.
   *
   * @param reach Which addresses the target may have; see {@link DialRequest.reach}.
   */
  async serve(client: Client, dialer: Dialer, reach?: Reach): Promise<void> {
    this.#client = client;
    this.#dialer = dialer;
    this.#reach = reach;
    if (this.#givenUp !== undefined) {
      this.#fail(this.#givenUp);
      return;
    }
    try {
      const way = await dialer.dial(this);
      this.#way = way;
      if (this.#givenUp === undefined) client.use(way, this.#onOver);
      else this.#tooLate(way, this.#givenUp);
    } catch (error) {
      this.#fail(error);
    }
  }

  // What is dialled

  get reach(): Reach | undefined {
    return this.#reach;
  }

  /** Aborted when nobody wants it any more. Made only for those who have to wait. */
  get signal(): AbortSignal {
    if (this.#giveUp === undefined) {
      this.#giveUp = new AbortController();
      if (this.#givenUp !== undefined) this.#giveUp.abort(this.#givenUp);
    }
    return this.#giveUp.signal;
  }

  takeFirstBytes(): Uint8Array {
    return this.#client?.takeFirstBytes() ?? nothing;
  }

  putBack(bytes: Uint8Array): void {
    this.#client?.putBack(bytes);
  }

  // How it ends

  /** Whether it ended without ever having carried a byte, because there was no way to the target. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Why it failed. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Breaks it off, whatever state it is in. */
  abort(reason: Error): void {
    if (this.#ended) return;
    this.#client?.onAbort?.(reason);
    this.giveUp(reason);
    this.#way?.abort(reason);
  }

  /** Its client is gone, or does not want it any more: it is not dialled any further. */
  giveUp(reason: Error): void {
    if (this.#way !== undefined || this.#givenUp !== undefined) return;
    this.#givenUp = reason;
    this.#giveUp?.abort(reason);
  }

  readonly #onOver = (): void => {
    const way = this.#way;
    if (way?.isRelayed === true && !this.#ended) this.#dialer?.carriedByRelay(this.target, way);
    this.#end();
  };

  /** The way came when nobody wanted it any more. */
  #tooLate(way: Way, reason: Error): void {
    way.abort(reason);
    this.#fail(reason);
  }

  #fail(error: unknown): void {
    this.#failure ??= error ?? new Error('unknown');
    this.#end();
    this.#client?.refuse(error);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(this);
  }

  // What is told of it

  /** Bytes that came from the target so far. */
  get bytesIn(): number {
    return this.#way?.bytesIn ?? 0;
  }

  /** Bytes that went there. */
  get bytesOut(): number {
    return this.#way?.bytesOut ?? 0;
  }

  status(): ConnectionStatus {
    return {
      id: this.id,
      target: formatAuthority(this.target),
      dialect: this.dialect,
      ...this.#leg(),
      state: this.#state(),
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      ageMs: Math.round(this.#clock.now() - this.#openedAt),
    };
  }

  #state(): ConnectionStatus['state'] {
    if (this.#way === undefined) return 'dialling';
    if (this.#way.isWaiting === true) return 'waiting';
    return this.#way.isHalfClosed ? 'half-closed' : 'open';
  }

  #leg(): {
    route: ConnectionStatus['route'];
    mptcp: boolean;
    multipath: boolean;
    reason: string;
    subflows: SubflowStatus[];
  } {
    if (this.#failure !== undefined) return { ...noLeg, reason: errorMessage(this.#failure) };
    if (this.#way === undefined) return { ...noLeg, reason: 'Is being connected.' };
    const { mptcp, multipath, reason, subflows } = this.#way.facts();
    if (this.#way.isRelayed) {
      return { route: 'relay', mptcp, multipath, reason: `Goes through the relay. ${reason}`, subflows };
    }
    return { route: mptcp ? 'mptcp' : 'tcp', mptcp, multipath, reason, subflows };
  }
}

const nothing = new Uint8Array();
const noLeg = { route: null, mptcp: false, multipath: false, subflows: [] };
