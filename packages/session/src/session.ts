import type { Clock } from '@manypath/core';
import type { Carrier, CarrierSink } from './carrier.ts';
import { CarrierSet } from './carrier-set.ts';
import { SessionFullError, SessionOverError, SessionProtocolError } from './errors.ts';
import {
  encodeFrame,
  encodeNumber,
  encodeOpen,
  encodeReset,
  frameTypes,
  type OpenRequest,
} from './frames.ts';
import { type SessionLimits, sessionLimits } from './limits.ts';
import { resetCodes } from './reset-codes.ts';
import { Riders } from './riders.ts';
import type { SessionEnd, SessionEvents } from './session-events.ts';
import { SessionInput } from './session-input.ts';
import { SessionOutput } from './session-output.ts';
import { Tunnel, type TunnelBeginning, type TunnelHost, type TunnelUser } from './tunnel.ts';
import { TunnelTable } from './tunnel-table.ts';
import { UnreadBudget } from './unread-budget.ts';

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
  readonly #tunnels: TunnelTable;
  readonly #carriers: CarrierSet;
  readonly #riders = new Riders();
  readonly #unread: UnreadBudget;
  readonly #input: SessionInput;
  readonly #output: SessionOutput;
  readonly #host: TunnelHost;
  #saidGoAway = false;
  #heardGoAway = false;
  #over: Error | undefined;

  constructor(options: SessionOptions) {
    const { end, clock, events, defer } = options;
    this.#options = options;
    this.limits = { ...sessionLimits, ...options.limits };
    this.#tunnels = new TunnelTable(end);
    this.#carriers = this.#carrierSet();
    const { limits } = this;
    const parts = {
      limits,
      clock,
      defer,
      carriers: this.#carriers,
      riders: this.#riders,
      tunnels: this.#tunnels,
    };
    this.#output = new SessionOutput({
      ...parts,
      onOverfull: () => this.close(new SessionProtocolError('it acknowledges nothing of what it gets')),
    });
    this.#input = new SessionInput({
      ...parts,
      output: this.#output,
      follows: end === 'relay',
      onOpen: (id, request, carrier) => this.#opened(id, request, carrier),
      onPong: (carrier, nonce) => events.onPong?.(carrier, nonce),
      onDatagram: (flow, bytes) => events.onDatagram?.(flow, bytes),
      onGoAway: () => this.#goesAway(),
      onGoodbye: ({ message }) => this.#end(new SessionOverError(`the other end closed it: ${message}`)),
    });
    this.#unread = new UnreadBudget({
      limits,
      onPlenty: () => {
        for (const tunnel of this.#tunnels.all.values()) tunnel.giveCredit();
      },
      onTooMuch: () => this.#breakOffSlowest(),
    });
    this.#host = {
      limits,
      unread: this.#unread,
      send: (tunnel, frame) => this.#output.send(tunnel, frame),
      sendData: (tunnel, offset, piece) => this.#output.sendData(tunnel, offset, piece),
      maySend: tunnel => this.#output.maySend(tunnel),
      over: tunnel => {
        this.#tunnels.delete(tunnel);
        this.#riders.getOff(tunnel);
      },
    };
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
    return this.#tunnels.all;
  }

  /** Memory that is held to send it again, and for what came and was not taken by its reader. Bytes, about. */
  get heldBytes(): number {
    return this.#carriers.keptBytes + this.#unread.bytes;
  }

  /** Whether no more tunnels can be opened in it: the other end wants none, or their numbers are used up. */
  get isGoingAway(): boolean {
    return this.#heardGoAway || this.#tunnels.isUsedUp;
  }

  get isOver(): boolean {
    return this.#over !== undefined;
  }

  /**
   * Takes a carrier whose ends have made sure of each other, with the number that the gateway gave it. Where there are too many, the
   * one that says least gives way.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`, its number is taken or was given up: the session goes on without it
   * @throws SessionOverError `MANYPATH_SESSION_OVER`
   */
  attach(id: number, sink: CarrierSink): Carrier {
    this.#throwIfOver();
    const carrier = this.#carriers.attach(id, sink);
    if (this.#saidGoAway) this.#sayGoAway(carrier);
    for (const tunnel of this.#tunnels.all.values()) {
      if (tunnel.carrier !== undefined || tunnel.waitsFor !== undefined) continue;
      this.#output.ride(tunnel, carrier);
      tunnel.pump();
    }
    this.#output.sendDatagrams();
    return carrier;
  }

  /** A number was given to a carrier that may or may not have come about at the other end, and is not used. */
  giveUp(id: number): void {
    if (this.#over === undefined) this.#carriers.giveUp(id);
  }

  /**
   * Takes what came on a carrier. Nothing of the chunk is needed once this returns.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`: the session has ended
   */
  receive(carrier: Carrier, chunk: Uint8Array): void {
    if (carrier.state !== 'open') return;
    try {
      carrier.read(chunk, this.#options.clock.now());
    } catch (error) {
      if (error instanceof SessionProtocolError) this.close(error);
      throw error;
    }
    if (carrier.state === 'open' && carrier.unacknowledged > 0) this.#output.acknowledge(carrier);
  }

  /** A carrier takes more again. */
  drained(carrier: Carrier): void {
    if (carrier.state !== 'open') return;
    this.#output.sendDatagrams();
    carrier.sendWaiting();
    this.#riders.letGo(carrier, this.#output.takesMore);
    this.#output.flushLater();
  }

  /** Uses a carrier no more, because it is lost, silent, or not needed: its tunnels go on over another one, or over the next. */
  leave(carrier: Carrier): void {
    this.#carriers.leave(carrier);
  }

  /** Asks for a sign of life. @param nonce Up to 53 bits; comes back by {@link SessionEvents.onPong}. */
  ping(carrier: Carrier, nonce: number): void {
    if (carrier.state === 'open') this.#carriers.sendOnce(carrier, encodeNumber(frameTypes.ping, 0, nonce));
  }

  /**
   * Opens a tunnel; what is written goes with its opening.
   *
   * @throws SessionOverError `MANYPATH_SESSION_OVER`, also when the other end wants no more of them
   * @throws SessionFullError `MANYPATH_SESSION_FULL`
   * @throws TunnelTargetError `MANYPATH_TUNNEL_TARGET`
   */
  open({ request, user, carrier, windowBytes, firstWindowBytes }: OpenOptions): Tunnel {
    this.#throwIfOver();
    if (this.isGoingAway) throw new SessionOverError('no more tunnels are opened in it');
    if (this.#tunnels.all.size >= this.limits.tunnels) throw new SessionFullError(this.limits.tunnels);
    const window = windowBytes ?? this.limits.windowBytes;
    const whole = { ...request, credit: Math.min(window, firstWindowBytes ?? window) };
    encodeOpen(0, whole, this.limits);
    const tunnel = this.#add({
      id: this.#tunnels.takeNumber(),
      request: whole,
      isOurs: true,
      window,
      credit: this.limits.windowBytes,
    });
    if (windowBytes !== undefined) tunnel.boundWindow(windowBytes);
    tunnel.user = user;
    const first = carrier?.state === 'open' ? carrier : this.#carriers.leastUsed();
    if (first !== undefined) this.#output.ride(tunnel, first);
    return tunnel;
  }

  /** Has a tunnel ride on another carrier, for the gateway to choose. One whose opening may not have arrived stays where it is. */
  move(tunnel: Tunnel, carrier: Carrier): void {
    if (carrier.state !== 'open' || tunnel.carrier === undefined || !tunnel.isAccepted) return;
    this.#output.ride(tunnel, carrier);
    tunnel.tellCredit();
    tunnel.pump();
  }

  /** Sends a datagram of a flow over whichever carrier takes it, or lets it go. The bytes are the session's from now on. */
  sendDatagram(flow: number, bytes: Uint8Array): void {
    if (this.#over !== undefined || bytes.length > this.limits.datagramBytes) return;
    this.#output.addDatagram(flow, bytes);
  }

  /** Tells the other end to open no more tunnels: they are refused from now on. Those that are open go on. */
  goAway(): void {
    if (this.#saidGoAway || this.#over !== undefined) return;
    this.#saidGoAway = true;
    for (const carrier of this.carriers) this.#sayGoAway(carrier);
  }

  /** Ends the session with all its tunnels, and tells the other end where that is possible. */
  close(reason: Error): void {
    if (this.#over !== undefined) return;
    const words = { code: resetCodes.sessionOver, message: reason.message };
    const goodbye = encodeReset(frameTypes.goodbye, 0, words, this.limits.messageBytes);
    for (const carrier of this.carriers) carrier.sendOnce(goodbye);
    this.flush();
    this.#end(reason);
  }

  /** Sends now what would leave at the end of the turn. */
  flush(): void {
    this.#output.flush();
  }

  #carrierSet(): CarrierSet {
    return new CarrierSet({
      limits: this.limits,
      clock: this.#options.clock,
      readerOf: carrier => this.#input.of(carrier),
      onBatch: () => this.#output.flushLater(),
      onLeave: carrier => this.#riders.orphan(carrier, this.#tunnels.all.values()),
      onLeft: carrier => this.#options.events.onLeft(carrier),
      onSettled: (left, present) => this.#riders.adopt(left, present, this.#tunnels.all.values()),
      onRoom: () => {
        for (const carrier of this.carriers) this.drained(carrier);
      },
    });
  }

  #add(beginning: TunnelBeginning): Tunnel {
    const tunnel = new Tunnel(beginning, this.#host);
    this.#tunnels.add(tunnel);
    return tunnel;
  }

  /** The other end opens a tunnel. */
  #opened(id: number, request: OpenRequest, carrier: Carrier): void {
    const window = this.limits.windowBytes;
    const tunnel = this.#add({ id, request, isOurs: false, window, credit: request.credit });
    this.#output.ride(tunnel, carrier);
    if (this.#saidGoAway) {
      tunnel.reset({ code: resetCodes.closing, message: 'no more tunnels are opened in this session' });
    } else if (this.#tunnels.all.size > this.limits.tunnels) {
      tunnel.reset({ code: resetCodes.busy, message: 'as many tunnels are open as may be' });
    } else {
      this.#options.events.onOpen(tunnel);
    }
  }

  #goesAway(): void {
    if (this.#heardGoAway) return;
    this.#heardGoAway = true;
    this.#options.events.onGoAway?.();
  }

  #sayGoAway(carrier: Carrier): void {
    this.#carriers.sendOnce(carrier, encodeFrame(frameTypes.goAway, 0));
  }

  #breakOffSlowest(): void {
    let slowest: Tunnel | undefined;
    for (const tunnel of this.#tunnels.all.values()) {
      if (slowest === undefined || tunnel.unreadBytes > slowest.unreadBytes) slowest = tunnel;
    }
    slowest?.breakOff({ code: resetCodes.slow, message: 'its reader has left too much for too long' });
  }

  #end(reason: Error): void {
    this.#over = reason;
    this.#output.end();
    const carriers = this.#carriers.clear();
    const reset = { code: resetCodes.sessionOver, message: reason.message };
    for (const tunnel of this.#tunnels.clear()) tunnel.takeReset(reset);
    this.#options.events.onOver?.(reason, carriers);
  }

  #throwIfOver(): void {
    if (this.#over !== undefined) throw new SessionOverError(this.#over.message, this.#over);
  }
}
