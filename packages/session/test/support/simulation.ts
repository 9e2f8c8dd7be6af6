import { SimulatedClock } from '@manypath/core';
import {
  type Carrier,
  type CarrierSink,
  Session,
  type SessionEnd,
  type SessionEvents,
  type SessionLimits,
  type Tunnel,
  type TunnelReset,
  type TunnelUser,
} from '../../src/index.ts';

/** Sends a text of its own through a tunnel, as fast as it may, and keeps what comes. */
export class Talker implements TunnelUser {
  readonly received: number[] = [];
  isFinished = false;
  reset: TunnelReset | undefined;
  isAccepted = false;
  /** Whether it takes what comes at once; else {@link take} does. */
  isEager = true;
  tunnel: Tunnel | undefined;
  readonly #text: Uint8Array;
  readonly #piece: number;
  #said = 0;
  #untaken = 0;

  constructor(text: Uint8Array, piece = 1000) {
    this.#text = text;
    this.#piece = piece;
  }

  begin(tunnel: Tunnel): void {
    this.tunnel = tunnel;
    this.onDrain();
  }

  onAccepted(): void {
    this.isAccepted = true;
  }

  onData(bytes: Uint8Array): void {
    this.received.push(...bytes);
    this.#untaken += bytes.length;
    if (this.isEager) this.take();
  }

  take(bytes = this.#untaken): void {
    const taken = Math.min(bytes, this.#untaken);
    this.#untaken -= taken;
    if (taken > 0) this.tunnel?.consumed(taken);
  }

  onFinish(): void {
    this.isFinished = true;
  }

  onReset(reset: TunnelReset): void {
    this.reset = reset;
  }

  onDrain(): void {
    while (this.#said < this.#text.length) {
      const piece = this.#text.slice(this.#said, this.#said + this.#piece);
      this.#said += piece.length;
      if (this.tunnel?.write(piece) === false) return;
    }
    this.tunnel?.finish();
  }
}

/** One direction of a connection: bytes on their way. */
class Pipe implements CarrierSink {
  readonly waiting: Uint8Array[] = [];
  isBroken = false;
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

/** A connection between both ends, and what each knows of it. */
export interface Connection {
  readonly toRelay: Pipe;
  readonly toGateway: Pipe;
  readonly atGateway: Carrier;
  readonly atRelay: Carrier;
}

export interface World {
  readonly gateway: Partial<SessionEvents>;
  readonly relay: Partial<SessionEvents>;
  readonly limits?: Partial<SessionLimits>;
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
  #next = 1;

  constructor({ gateway, relay, limits, queueBytes = 20_000 }: World) {
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
    const toGateway = new Pipe(this.#queueBytes);
    const atRelay = this.relay.attach(id, toGateway);
    this.gateway.giveUp(id);
    toGateway.isBroken = true;
    void atRelay;
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
  deliver(
    connection: Connection,
    direction: 'to relay' | 'to gateway',
    most = Number.POSITIVE_INFINITY,
  ): boolean {
    const isUp = direction === 'to relay';
    const pipe = isUp ? connection.toRelay : connection.toGateway;
    const chunk = pipe.take(most);
    if (chunk === undefined) return false;
    if (isUp) this.relay.receive(connection.atRelay, chunk);
    else this.gateway.receive(connection.atGateway, chunk);
    this.settle();
    if (isUp) this.gateway.drained(connection.atGateway);
    else this.relay.drained(connection.atRelay);
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

/** Bytes that differ from those of other tunnels and from their neighbours. */
export function textOf(seed: number, length: number): Uint8Array {
  const text = new Uint8Array(length);
  let state = seed * 2654435761;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text[at] = state >>> 24;
  }
  return text;
}
