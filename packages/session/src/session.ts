import type { Clock, Timer } from '@manypath/core';
import type { Carrier, CarrierSink, SentFrame } from './carrier.ts';
import { CarrierSet, whole } from './carrier-set.ts';
import { Datagrams } from './datagrams.ts';
import { SessionOverError, SessionProtocolError } from './errors.ts';
import type { FrameSink } from './frame-reader.ts';
import {
  dataHeadBytes,
  decodeLeft,
  decodeNumber,
  decodeOpen,
  decodeReset,
  encodeFrame,
  encodeNumber,
  encodeOpen,
  encodeReset,
  firstOptionalType,
  frameTypes,
  type OpenRequest,
  writeDataHead,
} from './frames.ts';
import { type SessionLimits, sessionLimits } from './limits.ts';
import { resetCodes } from './reset-codes.ts';
import { type Piece, Tunnel, type TunnelHost, type TunnelUser } from './tunnel.ts';
import { TunnelNumbers } from './tunnel-numbers.ts';

/** Which end of a session this is. The gateway makes carriers; either end opens tunnels. */
export type SessionEnd = 'gateway' | 'relay';

/** What a session tells. */
export interface SessionEvents {
  /** The other end opens a tunnel. Its user is to be set before this returns; it is accepted or reset then or later. */
  onOpen(tunnel: Tunnel): void;
  /** The other end uses a carrier no more: its connection is to be closed. */
  onLeft(carrier: Carrier): void;
  /** An answer to {@link Session.ping} came. */
  onPong?(carrier: Carrier, nonce: number): void;
  onDatagram?(flow: number, bytes: Uint8Array): void;
  /** The other end wants no more tunnels in this session. */
  onGoAway?(): void;
  /** The session is over, and its tunnels have been told. Connections of carriers are to be closed. */
  onOver?(reason: Error, carriers: readonly Carrier[]): void;
}

export interface SessionOptions {
  readonly end: SessionEnd;
  readonly clock: Clock;
  readonly events: SessionEvents;
  /** Calls back at the end of the present turn: what is written until then leaves in one write. */
  readonly defer: (callback: () => void) => void;
  readonly limits?: Partial<SessionLimits>;
}

/** How a tunnel is opened. */
export interface OpenOptions {
  readonly request: Omit<OpenRequest, 'credit'>;
  readonly user: TunnelUser;
  /** What it rides on; by default the open one that carries the fewest tunnels, or the next that comes. */
  readonly carrier?: Carrier | undefined;
  /** Bytes that may come without having been taken, and not more later. Default: the limits' window, which grows. */
  readonly windowBytes?: number | undefined;
  /** Bytes that may come until the first of them were taken. Default: as many as later. */
  readonly firstWindowBytes?: number | undefined;
}

/**
 * What gateway and relay have together (docs/SESSION.md): tunnels that outlive the carriers they ride on. One machine for both ends,
 * without input and output: bytes and time go in, bytes and events come out.
 */
export class Session {
  readonly limits: SessionLimits;
  readonly #options: SessionOptions;
  readonly #carriers: CarrierSet;
  readonly #tunnels = new Map<number, Tunnel>();
  readonly #host: TunnelHost;
  /** Tunnels that have something to send while nothing more is taken. */
  readonly #held = new Set<Tunnel>();
  readonly #theirs: TunnelNumbers;
  readonly #datagrams: Datagrams;
  #next: number;
  #unread = 0;
  #flushing = false;
  #acknowledging: Timer | undefined;
  #goingAway = false;
  #over: Error | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.limits = { ...sessionLimits, ...options.limits };
    const isGateway = options.end === 'gateway';
    this.#next = isGateway ? 1 : 2;
    this.#theirs = new TunnelNumbers(isGateway ? 2 : 1);
    this.#datagrams = new Datagrams(this.limits);
    this.#carriers = new CarrierSet({
      limits: this.limits,
      clock: options.clock,
      makes: isGateway,
      readerOf: carrier => this.#readerOf(carrier),
      onBatch: () => this.#flushLater(),
      onLeave: carrier => this.#orphan(carrier),
      onLeft: carrier => options.events.onLeft(carrier),
      onSettled: (left, present) => this.#adopt(left, present),
    });
    this.#host = this.#hostOfTunnels();
  }

  /** Carriers that are open. */
  get carriers(): readonly Carrier[] {
    return this.#carriers.open;
  }

  /** Since when there has been no carrier, by the clock; `undefined` while there is one. */
  get aloneSince(): number | undefined {
    return this.#carriers.aloneSince;
  }

  /** Tunnels that are open, whichever end opened them, by their numbers. */
  get tunnels(): ReadonlyMap<number, Tunnel> {
    return this.#tunnels;
  }

  /** Bytes that are kept to be sent again, and that came and were not taken by their readers. */
  get heldBytes(): number {
    return this.#carriers.unacknowledged + this.#unread;
  }

  /** Whether the other end wants no more tunnels. */
  get isGoingAway(): boolean {
    return this.#goingAway;
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /**
   * Takes a carrier whose ends have made sure of each other, with the number that the gateway gave it.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`, its number is taken, or there are too many
   * @throws SessionOverError `MANYPATH_SESSION_OVER`
   */
  attach(id: number, sink: CarrierSink): Carrier {
    this.#throwIfOver();
    const carrier = this.#carriers.attach(id, sink);
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.carrier !== undefined || tunnel.waitsFor !== undefined) continue;
      this.#ride(tunnel, carrier);
      tunnel.pump();
    }
    this.#sendDatagrams();
    return carrier;
  }

  /** A number was given to a carrier that may or may not have come about at the other end, and is not used. */
  giveUp(id: number): void {
    if (this.#over === undefined) this.#carriers.giveUp(id);
  }

  /**
   * Takes what came on a carrier.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`: the carrier is to be {@link leave left} and closed
   */
  receive(carrier: Carrier, chunk: Uint8Array): void {
    if (carrier.state !== 'open') return;
    carrier.read(chunk, this.#options.clock.now());
    if (carrier.state !== 'open' || carrier.unacknowledged === 0) return;
    if (carrier.mustAcknowledge) this.#flushLater();
    else this.#acknowledgeLater();
  }

  /** A carrier takes more again. */
  drained(carrier: Carrier): void {
    for (const tunnel of [...this.#held]) {
      if (tunnel.carrier !== carrier) continue;
      if (!this.#takesMore(carrier)) return;
      this.#held.delete(tunnel);
      tunnel.pump();
    }
    this.#sendDatagrams();
  }

  /** Uses a carrier no more, because it is lost, silent, or not needed: its tunnels go on over another one, or over the next. */
  leave(carrier: Carrier): void {
    this.#carriers.leave(carrier);
  }

  /** Asks for a sign of life. @param nonce Up to 53 bits; comes back by {@link SessionEvents.onPong}. */
  ping(carrier: Carrier, nonce: number): void {
    if (carrier.state !== 'open') return;
    this.#carriers.send(carrier, whole(encodeNumber(frameTypes.ping, 0, nonce)), false);
  }

  /** @throws SessionOverError `MANYPATH_SESSION_OVER` */
  open({ request, user, carrier, windowBytes, firstWindowBytes }: OpenOptions): Tunnel {
    this.#throwIfOver();
    const window = windowBytes ?? this.limits.windowBytes;
    const whole = { ...request, credit: Math.min(window, firstWindowBytes ?? window) };
    const id = this.#next;
    this.#next += 2;
    const credit = this.limits.windowBytes;
    const tunnel = new Tunnel({ id, request: whole, isOurs: true, window, credit }, this.#host);
    if (windowBytes !== undefined) tunnel.boundWindow(windowBytes);
    tunnel.user = user;
    this.#tunnels.set(id, tunnel);
    const first = carrier?.state === 'open' ? carrier : this.#leastUsed();
    if (first !== undefined) this.#ride(tunnel, first);
    this.#emit(tunnel, encodeOpen(id, whole));
    return tunnel;
  }

  /** Has a tunnel ride on another carrier from now on. One whose opening may not have arrived stays where it is. */
  move(tunnel: Tunnel, carrier: Carrier): void {
    if (carrier.state !== 'open' || tunnel.carrier === undefined || !tunnel.isAccepted) return;
    this.#ride(tunnel, carrier);
    tunnel.pump();
  }

  /** Sends a datagram of a flow over whichever carrier takes it, or lets it go. */
  sendDatagram(flow: number, bytes: Uint8Array): void {
    if (bytes.length > this.limits.dataBytes) return;
    this.#datagrams.add({ flow, bytes, at: this.#options.clock.now() });
    this.#sendDatagrams();
  }

  /** Tells the other end to open no more tunnels; those that are open go on. */
  goAway(): void {
    this.#emitOnAny(encodeFrame(frameTypes.goAway, 0));
  }

  /** Ends the session with all its tunnels, and tells the other end where that is possible. */
  close(reason: Error): void {
    if (this.#over !== undefined) return;
    const carrier = this.#carriers.first();
    if (carrier !== undefined) this.#carriers.send(carrier, whole(encodeFrame(frameTypes.goodbye, 0)), false);
    this.flush();
    this.#end(reason);
  }

  /** Sends now what would leave at the end of the turn. */
  flush(): void {
    this.#acknowledging?.cancel();
    this.#acknowledging = undefined;
    this.#carriers.flush();
  }

  #end(reason: Error): void {
    this.#over = reason;
    this.#acknowledging?.cancel();
    const tunnels = [...this.#tunnels.values()];
    this.#tunnels.clear();
    this.#held.clear();
    const carriers = this.#carriers.clear();
    const reset = { code: resetCodes.sessionOver, message: reason.message };
    for (const tunnel of tunnels) tunnel.takeReset(reset);
    this.#options.events.onOver?.(reason, carriers);
  }

  #throwIfOver(): void {
    if (this.#over !== undefined) throw new SessionOverError(this.#over.message, this.#over);
  }

  // What comes

  #readerOf(carrier: () => Carrier): FrameSink {
    return {
      onFrame: (type, tunnel, body) => {
        if (tunnel === 0) this.#takeFrame(carrier(), type, body);
        else this.#takeTunnelFrame(carrier(), type, tunnel, body);
      },
      onData: (number, offset, bytes) => this.#tunnelOf(number, carrier())?.takeData(offset, bytes),
    };
  }

  #takeFrame(carrier: Carrier, type: number, body: Uint8Array): void {
    switch (type) {
      case frameTypes.acknowledge:
        this.#takeAcknowledgement(carrier, decodeNumber(body));
        return;
      case frameTypes.ping:
        this.#carriers.send(carrier, whole(encodeNumber(frameTypes.pong, 0, decodeNumber(body))), false);
        return;
      case frameTypes.pong:
        this.#options.events.onPong?.(carrier, decodeNumber(body));
        return;
      case frameTypes.left:
        this.#carriers.takeLeft(carrier, decodeLeft(body));
        return;
      case frameTypes.goAway:
        this.#goingAway = true;
        this.#options.events.onGoAway?.();
        return;
      case frameTypes.goodbye:
        this.#end(new SessionOverError('the other end closed it'));
        return;
      default:
        if (type < firstOptionalType) throw new SessionProtocolError(`there is no frame of type ${type}`);
    }
  }

  #takeTunnelFrame(carrier: Carrier, type: number, number: number, body: Uint8Array): void {
    if (type === frameTypes.open) this.#takeOpen(carrier, number, body);
    else if (type === frameTypes.datagram) this.#options.events.onDatagram?.(number, Uint8Array.from(body));
    else if (type < firstOptionalType) this.#takeOpenedFrame(carrier, type, number, body);
  }

  #takeOpenedFrame(carrier: Carrier, type: number, number: number, body: Uint8Array): void {
    const tunnel = this.#tunnelOf(number, carrier);
    switch (type) {
      case frameTypes.accept:
        tunnel?.takeAccept();
        return;
      case frameTypes.credit:
        tunnel?.takeCredit(decodeNumber(body));
        return;
      case frameTypes.blocked:
        tunnel?.takeBlocked(decodeNumber(body));
        return;
      case frameTypes.finish:
        tunnel?.takeFinish(decodeNumber(body));
        return;
      case frameTypes.reset:
        tunnel?.takeReset(decodeReset(body, this.limits));
        return;
      default:
        throw new SessionProtocolError(`there is no frame of type ${type} for a tunnel`);
    }
  }

  #takeOpen(carrier: Carrier, number: number, body: Uint8Array): void {
    if (!this.#isTheirs(number))
      throw new SessionProtocolError('it opens a tunnel with a number of this end');
    if (this.#theirs.has(number)) return;
    if (this.#theirs.waiting >= this.limits.tunnels) throw new SessionProtocolError('it leaves numbers out');
    const request = decodeOpen(body, this.limits);
    this.#theirs.add(number);
    const window = this.limits.windowBytes;
    const about = { id: number, request, isOurs: false, window, credit: request.credit };
    const tunnel = new Tunnel(about, this.#host);
    this.#tunnels.set(number, tunnel);
    this.#ride(tunnel, carrier);
    if (this.#tunnels.size <= this.limits.tunnels) this.#options.events.onOpen(tunnel);
    else tunnel.reset({ code: resetCodes.busy, message: 'as many tunnels are open as may be' });
  }

  /** The tunnel that a frame is for; `undefined` when it is over. The relay answers on the carrier on which the gateway speaks. */
  #tunnelOf(number: number, carrier: Carrier): Tunnel | undefined {
    const tunnel = this.#tunnels.get(number);
    if (tunnel === undefined) {
      const wasOpen = this.#isTheirs(number) ? this.#theirs.has(number) : number < this.#next;
      if (!wasOpen) throw new SessionProtocolError(`tunnel ${number} was never opened`);
    } else if (this.#options.end === 'relay' && tunnel.carrier !== undefined && tunnel.carrier !== carrier) {
      this.#ride(tunnel, carrier);
    }
    return tunnel;
  }

  #isTheirs(number: number): boolean {
    return number % 2 === (this.#options.end === 'gateway' ? 0 : 1);
  }

  #takeAcknowledgement(carrier: Carrier, count: number): void {
    const wasFull = this.#isFull();
    this.#carriers.acknowledged(carrier, count);
    if (wasFull && !this.#isFull()) for (const one of this.carriers) this.drained(one);
  }

  // What leaves

  #hostOfTunnels(): TunnelHost {
    return {
      limits: this.limits,
      maySend: tunnel => this.#maySend(tunnel),
      sendData: (tunnel, offset, piece) => this.#sendData(tunnel, offset, piece),
      sendFinish: (tunnel, offset) => this.#emit(tunnel, encodeNumber(frameTypes.finish, tunnel.id, offset)),
      sendCredit: (tunnel, limit) => this.#emit(tunnel, encodeNumber(frameTypes.credit, tunnel.id, limit)),
      sendBlocked: (tunnel, limit) => this.#emit(tunnel, encodeNumber(frameTypes.blocked, tunnel.id, limit)),
      sendReset: (tunnel, reset) =>
        this.#emit(tunnel, encodeReset(tunnel.id, reset, this.limits.messageBytes)),
      sendAccept: tunnel => this.#emit(tunnel, encodeFrame(frameTypes.accept, tunnel.id)),
      countUnread: bytes => this.#countUnread(bytes),
      over: tunnel => this.#forget(tunnel),
    };
  }

  #maySend(tunnel: Tunnel): boolean {
    const { carrier } = tunnel;
    if (carrier === undefined) return false;
    if (this.#takesMore(carrier)) return true;
    this.#held.add(tunnel);
    return false;
  }

  #takesMore(carrier: Carrier): boolean {
    return carrier.state === 'open' && !carrier.isFull && !this.#isFull();
  }

  #isFull(): boolean {
    return this.#carriers.unacknowledged >= this.limits.unacknowledgedBytes;
  }

  #sendData(tunnel: Tunnel, offset: number, { bytes, hasRoom, release }: Piece): void {
    const { carrier, id } = tunnel;
    if (carrier === undefined) return;
    this.#carriers.send(carrier, dataFrame(id, offset, bytes, hasRoom, release), true);
  }

  /** Sends a frame of a tunnel, in its order with what was sent for it before; keeps it while there is no carrier. */
  #emit(tunnel: Tunnel, bytes: Uint8Array): void {
    const frame = whole(bytes, tunnel.id);
    if (tunnel.carrier !== undefined) this.#carriers.send(tunnel.carrier, frame, true);
    else if (this.#over === undefined) this.#carriers.keep(frame, tunnel.waitsFor);
  }

  #emitOnAny(bytes: Uint8Array): void {
    const carrier = this.#carriers.first();
    if (carrier === undefined) this.#carriers.keep(whole(bytes));
    else this.#carriers.send(carrier, whole(bytes), true);
  }

  #sendDatagrams(): void {
    const now = this.#options.clock.now();
    while (this.#datagrams.size > 0) {
      const carrier = this.carriers.find(one => !one.isFull);
      if (carrier === undefined) return;
      const datagram = this.#datagrams.take(now);
      if (datagram === undefined) return;
      const frame = encodeFrame(frameTypes.datagram, datagram.flow, datagram.bytes);
      this.#carriers.send(carrier, whole(frame), false);
    }
  }

  #flushLater(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#options.defer(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  #acknowledgeLater(): void {
    this.#acknowledging ??= this.#options.clock.after(this.limits.acknowledgeMs, () => this.flush());
  }

  #countUnread(bytes: number): boolean {
    const wasTooMuch = this.#unread > this.limits.unreadBytes;
    this.#unread += bytes;
    const isTooMuch = this.#unread > this.limits.unreadBytes;
    if (wasTooMuch && !isTooMuch) for (const tunnel of this.#tunnels.values()) tunnel.giveCredit();
    return isTooMuch;
  }

  // What rides on what

  #leastUsed(): Carrier | undefined {
    let least: Carrier | undefined;
    for (const carrier of this.carriers)
      if (least === undefined || carrier.tunnels < least.tunnels) least = carrier;
    return least;
  }

  #ride(tunnel: Tunnel, carrier: Carrier): void {
    if (tunnel.carrier !== undefined) tunnel.carrier.tunnels -= 1;
    carrier.tunnels += 1;
    tunnel.carrier = carrier;
    tunnel.waitsFor = undefined;
  }

  #orphan(carrier: Carrier): void {
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.carrier !== carrier) continue;
      tunnel.carrier = undefined;
      tunnel.waitsFor = carrier;
      this.#held.delete(tunnel);
    }
    carrier.tunnels = 0;
  }

  #adopt(left: Carrier, present: Carrier): void {
    for (const tunnel of this.#tunnels.values()) {
      if (tunnel.waitsFor !== left) continue;
      this.#ride(tunnel, present);
      tunnel.pump();
    }
  }

  #forget(tunnel: Tunnel): void {
    this.#tunnels.delete(tunnel.id);
    this.#held.delete(tunnel);
    if (tunnel.carrier !== undefined) tunnel.carrier.tunnels -= 1;
  }
}

function dataFrame(
  tunnel: number,
  offset: number,
  bytes: Uint8Array,
  hasRoom: boolean,
  release: (() => void) | undefined,
): SentFrame {
  if (hasRoom) {
    const framed = new Uint8Array(
      bytes.buffer,
      bytes.byteOffset - dataHeadBytes,
      dataHeadBytes + bytes.length,
    );
    writeDataHead(framed, 0, tunnel, offset, bytes.length);
    return { tunnel, head: framed, rest: undefined, release };
  }
  const head = new Uint8Array(dataHeadBytes);
  writeDataHead(head, 0, tunnel, offset, bytes.length);
  return { tunnel, head, rest: bytes, release };
}
