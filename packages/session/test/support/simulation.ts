import { SimulatedClock } from '@manypath/core';
import {
  type Carrier,
  type CarrierSink,
  Session,
  type SessionEnd,
  type SessionEvents,
  type SessionLimits,
  SessionProtocolError,
} from '../../src/index.ts';

/** One direction of a connection: bytes on their way. */
export class Pipe implements CarrierSink {
  readonly waiting: Uint8Array[] = [];
  isBroken = false;
  /** All that was sent by it. */
  sentBytes = 0;
  readonly #mostBytes: number;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  get bytes(): number {
    return this.waiting.reduce((sum, { length }) => sum + length, 0);
  }

  get isFull(): boolean {
    return this.bytes > this.#mostBytes;
  }

  send(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.sentBytes += piece.length;
    if (!this.isBroken) this.waiting.push(...pieces.map(piece => piece.slice()));
  }

  /** Takes up to so many bytes off it. */
  take(most: number): Uint8Array | undefined {
    const first = this.waiting.shift();
    if (first === undefined || first.length <= most) return first;
    this.waiting.unshift(first.subarray(most));
    return first.subarray(0, most);
  }
}

export type Direction = 'to relay' | 'to gateway';

/** A connection between both ends, and what each knows of it. */
export interface Connection {
  readonly toRelay: Pipe;
  readonly toGateway: Pipe;
  readonly atGateway: Carrier;
  readonly atRelay: Carrier;
}

export interface World {
  readonly gateway?: Partial<SessionEvents>;
  readonly relay?: Partial<SessionEvents>;
  readonly limits?: Partial<SessionLimits>;
  /** Bytes on their way in one direction of a connection, until it takes no more. */
  readonly queueBytes?: number;
}

/** Two ends of one session, connections between them that are cut at will, and a clock that is turned. */
export class Simulation {
  readonly clock = new SimulatedClock();
  readonly gateway: Session;
  readonly relay: Session;
  readonly connections: Connection[] = [];
  readonly #deferred: (() => void)[] = [];
  readonly #queueBytes: number;
  readonly #late: number[] = [];
  #next = 1;

  constructor({ gateway = {}, relay = {}, limits, queueBytes = 20_000 }: World = {}) {
    this.#queueBytes = queueBytes;
    this.gateway = this.#session('gateway', gateway, limits);
    this.relay = this.#session('relay', relay, limits);
  }

  connect(): Connection {
    const id = this.#next++;
    const toRelay = new Pipe(this.#queueBytes);
    const toGateway = new Pipe(this.#queueBytes);
    const atRelay = this.relay.attach(id, toGateway);
    const atGateway = this.gateway.attach(id, toRelay);
    const connection = { toRelay, toGateway, atGateway, atRelay };
    this.connections.push(connection);
    return connection;
  }

  /** The relay takes a connection of which the gateway never hears that it did. */
  connectInVain(): void {
    const id = this.#next++;
    this.#atRelayOnly(id);
    this.gateway.giveUp(id);
  }

  /** The gateway gives a connection up that has not reached the relay yet; {@link arriveLate} has it do so. */
  connectLate(): void {
    const id = this.#next++;
    this.gateway.giveUp(id);
    this.#late.push(id);
  }

  arriveLate(): void {
    const id = this.#late.shift();
    if (id === undefined) return;
    try {
      this.#atRelayOnly(id);
    } catch (error) {
      if (!(error instanceof SessionProtocolError)) throw error;
    }
  }

  /** Each end notices, sooner or later, that the other one has closed a connection or that nothing comes by it. */
  notice(): void {
    for (const { atGateway, atRelay, toRelay } of this.connections) {
      if (toRelay.isBroken || atRelay.state !== 'open') this.gateway.leave(atGateway);
      if (toRelay.isBroken || atGateway.state !== 'open') this.relay.leave(atRelay);
    }
  }

  /** What is on its way is lost; both ends are not told. */
  cut({ toRelay, toGateway }: Connection): void {
    for (const pipe of [toRelay, toGateway]) {
      pipe.isBroken = true;
      pipe.waiting.length = 0;
    }
  }

  /** Ends the present turn: what was put off happens. */
  settle(): void {
    while (this.#deferred.length > 0) for (const callback of this.#deferred.splice(0)) callback();
  }

  /** Lets up to so many bytes arrive. @returns Whether any did. */
  deliver(connection: Connection, direction: Direction, most = Number.POSITIVE_INFINITY): boolean {
    const isUp = direction === 'to relay';
    const pipe = isUp ? connection.toRelay : connection.toGateway;
    const wasFull = pipe.isFull;
    const chunk = pipe.take(most);
    if (chunk === undefined) return false;
    if (isUp) this.relay.receive(connection.atRelay, chunk);
    else this.gateway.receive(connection.atGateway, chunk);
    // As where memory is read into again.
    chunk.fill(0xdd);
    this.settle();
    // As a socket does: only when it took no more before.
    if (wasFull && !pipe.isFull) {
      if (isUp) this.gateway.drained(connection.atGateway);
      else this.relay.drained(connection.atRelay);
    }
    this.settle();
    return true;
  }

  /** Lets everything arrive, and time pass, until nothing happens any more. */
  run(): void {
    for (let idle = 0; idle < 3; ) {
      this.settle();
      let moved = false;
      for (const connection of this.connections) {
        while (this.deliver(connection, 'to relay')) moved = true;
        while (this.deliver(connection, 'to gateway')) moved = true;
      }
      this.clock.advance(100);
      idle = moved ? 0 : idle + 1;
    }
  }

  #atRelayOnly(id: number): void {
    const toGateway = new Pipe(this.#queueBytes);
    toGateway.isBroken = true;
    this.relay.attach(id, toGateway);
  }

  #session(
    end: SessionEnd,
    events: Partial<SessionEvents>,
    limits: Partial<SessionLimits> | undefined,
  ): Session {
    return new Session({
      end,
      clock: this.clock,
      defer: callback => void this.#deferred.push(callback),
      events: { onOpen() {}, onLeft() {}, ...events },
      ...(limits === undefined ? {} : { limits }),
    });
  }
}
