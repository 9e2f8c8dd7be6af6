import type { Socket } from 'node:net';
import {
  type Authority,
  type Clock,
  type ConnectionStatus,
  errorMessage,
  formatAuthority,
  type SubflowStatus,
} from '@manypath/core';
import type { ByteCount } from './counted-stream.ts';
import { socketStatus } from './socket-status.ts';

/** How a client asked for a connection. */
export type Dialect = ConnectionStatus['dialect'];

/** A way that was opened to a target, as far as accounts go. */
export interface Way {
  /** The connection out of this host that carries it, alone or with others. */
  readonly socket: Socket;
  readonly relay: boolean;
  /** Told when bytes begin to move, and through which socket; its answer is called when that is over. */
  readonly begins?: (socket: Socket, count: () => ByteCount) => () => void;
}

/** What moves the bytes of a connection, and knows how many there were. */
export interface Traffic {
  readonly count: ByteCount;
  readonly halfClosed: () => boolean;
  /** The socket out of this host, which may not be the one that was dialled: the byte relay takes a twin. */
  readonly socket?: Socket | undefined;
}

const none: ByteCount = { bytesIn: 0, bytesOut: 0 };

/** One connection of a browser or another program, from its request to its end. */
export class Connection {
  readonly id: number;
  readonly target: Authority;
  readonly dialect: Dialect;
  readonly #clock: Clock;
  readonly #openedAt: number;
  readonly #onEnd: (connection: Connection) => void;
  #way: Way | undefined;
  #traffic: Traffic | undefined;
  #over: () => void = () => {};
  #failure: unknown;
  #ended = false;
  #abort: (reason: Error) => void = () => {};

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

  get count(): ByteCount {
    return this.#traffic?.count ?? none;
  }

  /** Whether it ended without ever having carried a byte, because there was no way to the target. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Why it failed. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Gives it what breaks it off from outside. */
  abortWith(abort: (reason: Error) => void): void {
    this.#abort = abort;
  }

  /** The way to the target is open. */
  dialled(way: Way): void {
    this.#way = way;
  }

  /** Bytes move. */
  carries(traffic: Traffic): void {
    this.#traffic = traffic;
    const way = this.#way;
    if (way?.begins !== undefined && !this.#ended) {
      this.#over = way.begins(traffic.socket ?? way.socket, () => this.count);
    }
  }

  /** No way to the target was found. */
  fail(error: unknown): void {
    this.#failure ??= error ?? new Error('unknown');
    this.end();
  }

  /** It is over; only the first call counts. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over();
    this.#onEnd(this);
  }

  /** Breaks it off. */
  abort(reason: Error): void {
    this.#abort(reason);
  }

  status(): ConnectionStatus {
    const { bytesIn, bytesOut } = this.count;
    return {
      id: this.id,
      target: formatAuthority(this.target),
      dialect: this.dialect,
      ...this.#leg(),
      state: this.#state(),
      bytesIn,
      bytesOut,
      ageMs: Math.round(this.#clock.now() - this.#openedAt),
    };
  }

  #state(): ConnectionStatus['state'] {
    if (this.#traffic === undefined) return 'dialling';
    return this.#traffic.halfClosed() ? 'half-closed' : 'open';
  }

  #leg(): {
    route: ConnectionStatus['route'];
    mptcp: boolean;
    multipath: boolean;
    reason: string;
    subflows: SubflowStatus[];
  } {
    if (this.#failure !== undefined) {
      return {
        route: null,
        mptcp: false,
        multipath: false,
        reason: errorMessage(this.#failure),
        subflows: [],
      };
    }
    if (this.#way === undefined) {
      return { route: null, mptcp: false, multipath: false, reason: 'Is being connected.', subflows: [] };
    }
    const { mptcp, multipath, reason, subflows } = socketStatus(this.#traffic?.socket ?? this.#way.socket);
    if (this.#way.relay) {
      return { route: 'relay', mptcp, multipath, reason: `Goes through the relay. ${reason}`, subflows };
    }
    return { route: mptcp ? 'mptcp' : 'tcp', mptcp, multipath, reason, subflows };
  }
}
