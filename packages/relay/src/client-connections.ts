import type { Socket } from 'node:net';
import { type Clock, systemClock, type Timer } from '@manypath/core';
import { resetSocket } from '@manypath/mptcp';
import type { RelayLimits } from './limits.ts';
import { peerKey } from './peer-address.ts';

/** What strangers are given up for, so that it can be counted. */
export type ClientConnectionEvents = {
  /** A stranger was closed to make room for another. */
  readonly onDisplaced: (connection: ClientConnection) => void;
  /** A client showed the secret, and there are as many such connections as there may be. */
  readonly onFull: (connection: ClientConnection) => void;
};

type ConnectionLimits = Pick<
  RelayLimits,
  | 'connections'
  | 'connectionsPerAddress'
  | 'strangers'
  | 'strangersPerAddress'
  | 'authenticateMs'
  | 'refusalsPerConnection'
  | 'rememberedAddresses'
  | 'stalledMs'
>;

/** One connection of a client: a stranger's until it has shown the secret. */
export class ClientConnection {
  readonly socket: Socket;
  /** What its client is counted by; see {@link peerKey}. */
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

  constructor(socket: Socket, limits: ConnectionLimits, clock: Clock) {
    this.socket = socket;
    this.peer = peerKey(socket.remoteAddress);
    this.#clock = clock;
    this.#progressAt = clock.now();
    this.#mostRefusals = limits.refusalsPerConnection;
    this.deadline = clock.after(limits.authenticateMs, () => this.reset());
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

  /** Closes it with a reset, so that the kernel keeps nothing of it. */
  reset(): void {
    resetSocket(this.socket);
  }

  /** When it came, or came a step further: its handshake was over, or it was told that the secret is missing. */
  get progressAt(): number {
    return this.#progressAt;
  }

  /** Whether it has brought enough to be answered, or what it may have brought has not been looked at. */
  get isUnderWay(): boolean {
    this.#isAnswered ||= this.socket.bytesWritten > 0;
    return this.#isAnswered || !this.#hadTurn;
  }
}

/** Connections that are counted by the address they come from. */
class Pool {
  readonly #byPeer = new Map<string, Set<ClientConnection>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get peers(): Iterable<string> {
    return this.#byPeer.keys();
  }

  of(peer: string): ReadonlySet<ClientConnection> {
    return this.#byPeer.get(peer) ?? new Set();
  }

  /** The connections of the address that has most; of those alike, the one that came first. */
  largest(): ReadonlySet<ClientConnection> {
    let largest: ReadonlySet<ClientConnection> = new Set();
    for (const connections of this.#byPeer.values()) {
      if (connections.size > largest.size) largest = connections;
    }
    return largest;
  }

  add(connection: ClientConnection): void {
    const others = this.#byPeer.get(connection.peer);
    if (others === undefined) this.#byPeer.set(connection.peer, new Set([connection]));
    else others.add(connection);
    this.#size += 1;
  }

  remove(connection: ClientConnection): void {
    const others = this.#byPeer.get(connection.peer);
    if (others?.delete(connection) !== true) return;
    this.#size -= 1;
    if (others.size === 0) this.#byPeer.delete(connection.peer);
  }
}

/**
 * Who is connected. Strangers have a small pool of their own and a short time: however many there are, those who know the
 * secret have all the room that is theirs, and a stranger who comes gets a turn to show it.
 *
 * When the pool is full, or an address has its share of it, the first one is closed that has brought nothing that could be
 * answered, or has stalled; if there is none, the one that came further longest ago. So whoever goes on at once is in before
 * others of the same address have displaced it, whether they only hold connections, or open ever more, with TLS or without.
 * Addresses that users come from may open many at once, as browsers and programs do.
 */
export class ClientConnections {
  readonly #limits: ConnectionLimits;
  readonly #events: ClientConnectionEvents;
  readonly #clock: Clock;
  readonly #strangers = new Pool();
  readonly #users = new Pool();
  /** Addresses that users came from, the one that was used longest ago first. */
  readonly #familiar = new Set<string>();

  constructor(limits: ConnectionLimits, events: ClientConnectionEvents, clock: Clock = systemClock) {
    this.#limits = limits;
    this.#events = events;
    this.#clock = clock;
  }

  /** Connections that are open. */
  get total(): number {
    return this.#strangers.size + this.#users.size;
  }

  /** Those that have not shown the secret. */
  get strangers(): number {
    return this.#strangers.size;
  }

  /** How many addresses are connected. */
  get peers(): number {
    return new Set([...this.#strangers.peers, ...this.#users.peers]).size;
  }

  /** Takes a connection in as a stranger, and counts it until it is closed. */
  admit(socket: Socket): ClientConnection {
    const connection = new ClientConnection(socket, this.#limits, this.#clock);
    const { strangers, strangersPerAddress } = this.#limits;
    const neighbours = this.#strangers.of(connection.peer);
    if (neighbours.size >= strangersPerAddress && !this.#familiar.has(connection.peer)) {
      this.#displaceOneOf(neighbours);
    } else if (this.#strangers.size >= strangers) this.#displaceOneOf(this.#strangers.largest());
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

  #displaceOneOf(connections: ReadonlySet<ClientConnection>): void {
    const victim = this.#leastDeserving(connections);
    if (victim === undefined) return;
    // Its own close event comes later.
    this.#strangers.remove(victim);
    this.#events.onDisplaced(victim);
    victim.reset();
  }

  #leastDeserving(connections: Iterable<ClientConnection>): ClientConnection | undefined {
    const longAgo = this.#clock.now() - this.#limits.stalledMs;
    let least: ClientConnection | undefined;
    for (const connection of connections) {
      if (connection.progressAt < longAgo || !connection.isUnderWay) return connection;
      if (least === undefined || connection.progressAt < least.progressAt) least = connection;
    }
    return least;
  }
}
