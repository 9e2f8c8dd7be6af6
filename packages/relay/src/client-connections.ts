import type { Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from '@manypath/core';
import { resetSocket } from '@manypath/mptcp';
import type { Arrival } from './arrival.ts';
import type { RelayLimits } from './limits.ts';
import { peerKey } from './peer-address.ts';
import { Pool } from './pool.ts';
import { type Stranger, StrangerPlaces } from './stranger-places.ts';

/** What strangers are given up for, so that it can be counted. */
export type ClientConnectionEvents = {
  /** A stranger was closed to make room for another. */
  readonly onDisplaced: (stranger: Stranger) => void;
  /** A client showed the secret, and there are as many such connections as there may be. */
  readonly onFull: (connection: ClientConnection) => void;
};

type ConnectionLimits = Pick<
  RelayLimits,
  | 'connections'
  | 'connectionsPerAddress'
  | 'arrivals'
  | 'arrivalsPerAddress'
  | 'strangers'
  | 'strangersPerAddress'
  | 'authenticateMs'
  | 'refusalsPerConnection'
  | 'rememberedAddresses'
  | 'stalledMs'
>;

/** One connection of a client that TLS is spoken on: a stranger's until it has shown the secret. */
export class ClientConnection implements Stranger {
  readonly socket: Socket;
  readonly peer: string;
  /** Whether the secret has not been shown. */
  isStranger = true;
  /** Runs until the secret was shown. */
  readonly deadline: Timer;
  readonly #clock: Clock;
  readonly #mostRefusals: number;
  #refusals = 0;
  #hadTurn = false;
  #isAnswered = false;
  #progressAt: number;

  /** @param since When it came, by the clock. */
  constructor(socket: Socket, limits: ConnectionLimits, clock: Clock, since: number) {
    this.socket = socket;
    this.peer = peerKey(socket.remoteAddress);
    this.#clock = clock;
    this.#progressAt = clock.now();
    this.#mostRefusals = limits.refusalsPerConnection;
    this.deadline = clock.after(since + limits.authenticateMs - clock.now(), () => this.reset());
    // Its first bytes often come with it, and are read when the event loop has gone round.
    const looked = () => {
      this.#hadTurn = true;
    };
    setImmediate(() => setImmediate(() => setImmediate(looked)));
  }

  /** TLS is established. */
  secured(): void {
    this.#progressAt = this.#clock.now();
  }

  /** Counts a wrong or missing secret: a connection that brings nothing else is closed. */
  refused(): void {
    this.#refusals += 1;
    if (this.#refusals === 1) this.#progressAt = this.#clock.now();
    if (this.isStranger && this.#refusals >= this.#mostRefusals) this.reset();
  }

  reset(): void {
    resetSocket(this.socket);
  }

  /** When it came, or came a step further: its handshake was over, or it was told that the secret is missing. */
  get progressAt(): number {
    return this.#progressAt;
  }

  get isUnderWay(): boolean {
    this.#isAnswered ||= this.socket.bytesWritten > 0;
    return this.#isAnswered || !this.#hadTurn;
  }
}

/**
 * Who is connected. Strangers have few places of their own and a short time: however many there are, those who know the
 * secret have all the room that is theirs, and a stranger who comes gets a turn to show it. Those with whom TLS is not spoken
 * yet cost little and have more places than the others, so that no number of them displaces who has come further.
 * Addresses that users come from may open many at once, as browsers and programs do.
 */
export class ClientConnections {
  readonly #limits: ConnectionLimits;
  readonly #events: ClientConnectionEvents;
  readonly #clock: Clock;
  readonly #arrivals: StrangerPlaces<Arrival>;
  readonly #strangers: StrangerPlaces<ClientConnection>;
  readonly #users = new Pool<ClientConnection>();
  /** Addresses that users came from, the one that was used longest ago first. */
  readonly #familiar = new Set<string>();

  constructor(limits: ConnectionLimits, events: ClientConnectionEvents, clock: Clock = systemClock) {
    this.#limits = limits;
    this.#events = events;
    this.#clock = clock;
    const { onDisplaced } = events;
    const isFamiliar = (peer: string) => this.#familiar.has(peer);
    const alike = { stalledMs: limits.stalledMs, isFamiliar, onDisplaced, clock };
    this.#arrivals = new StrangerPlaces({
      ...alike,
      most: limits.arrivals,
      mostPerAddress: limits.arrivalsPerAddress,
    });
    this.#strangers = new StrangerPlaces({
      ...alike,
      most: limits.strangers,
      mostPerAddress: limits.strangersPerAddress,
    });
  }

  /** Connections that are open. */
  get total(): number {
    return this.strangers + this.#users.size;
  }

  /** Those that have not shown the secret. */
  get strangers(): number {
    return this.#arrivals.size + this.#strangers.size;
  }

  /** How many addresses are connected. */
  get peers(): number {
    return new Set([...this.#arrivals.peers, ...this.#strangers.peers, ...this.#users.peers]).size;
  }

  /** Counts somebody with whom TLS is not spoken yet, until it has `left` or is `opened`. */
  arrived(arrival: Arrival): void {
    this.#arrivals.add(arrival);
  }

  /** Somebody who had arrived is closed. */
  left(arrival: Arrival): void {
    this.#arrivals.remove(arrival);
  }

  /**
   * TLS begins: counts the connection as a stranger until it is closed or has shown the secret.
   *
   * @param before Who had arrived.
   */
  opened(socket: Socket, before?: Arrival): ClientConnection {
    if (before !== undefined) this.left(before);
    const since = before?.since ?? this.#clock.now();
    const connection = new ClientConnection(socket, this.#limits, this.#clock, since);
    this.#strangers.add(connection);
    socket.once('close', () => {
      connection.deadline.cancel();
      this.#strangers.remove(connection);
      this.#users.remove(connection);
    });
    return connection;
  }

  /** A connection has shown the secret. @returns Whether it may stay: there is a limit for those as well. */
  authenticated(connection: ClientConnection): boolean {
    if (!connection.isStranger) return true;
    if (connection.socket.destroyed) return false;
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#users.size >= connections || this.#users.of(connection.peer).size >= connectionsPerAddress) {
      this.#events.onFull(connection);
      return false;
    }
    connection.isStranger = false;
    this.#remember(connection.peer);
    connection.deadline.cancel();
    this.#strangers.remove(connection);
    this.#users.add(connection);
    return true;
  }

  #remember(peer: string): void {
    this.#familiar.delete(peer);
    this.#familiar.add(peer);
    const [oldest] = this.#familiar;
    if (this.#familiar.size > this.#limits.rememberedAddresses && oldest !== undefined) {
      this.#familiar.delete(oldest);
    }
  }
}
