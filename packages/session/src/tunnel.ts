import type { Carrier } from './carrier.ts';
import { EarlyBytes } from './early-bytes.ts';
import { SessionProtocolError } from './errors.ts';
import {
  encodeFrame,
  encodeNumber,
  encodeReset,
  frameTypes,
  type OpenRequest,
  type TunnelReset,
} from './frames.ts';
import type { SessionLimits } from './limits.ts';
import { ReceiveWindow } from './receive-window.ts';
import { type Piece, SendQueue } from './send-queue.ts';
import type { UnreadBudget } from './unread-budget.ts';

/** Who uses a tunnel at this end. None of these may throw; all may call what the tunnel offers. */
export interface TunnelUser {
  /** The other end has what the tunnel leads to. Told to the one who opened it, before anything comes. */
  onAccepted?(): void;
  /** Bytes come, and are good until this returns. They count as taken when {@link Tunnel.consumed} is called. */
  onData(bytes: Uint8Array): void;
  /** No more will come. */
  onFinish(): void;
  /** It was broken off: by the other end, by the session's limits, or because the session is over. Nothing follows. */
  onReset(reset: TunnelReset): void;
  /** More may be written, after {@link Tunnel.write} had said no. */
  onDrain(): void;
  /** Both directions have ended as they should. */
  onOver?(): void;
}

/** What a tunnel needs of its session. */
export interface TunnelHost {
  readonly limits: SessionLimits;
  /** What readers of the whole session have not taken. */
  readonly unread: UnreadBudget;
  /** Sends a frame without bytes of its user, in its order with what was sent for it before. */
  send(tunnel: Tunnel, frame: Uint8Array): void;
  sendData(tunnel: Tunnel, offset: number, piece: Piece): void;
  /** Whether data can be sent for it at once; else the session calls {@link Tunnel.pump} when it can. */
  maySend(tunnel: Tunnel): boolean;
  /** Both its directions are over. */
  over(tunnel: Tunnel): void;
}

/** Whether bytes go both ways, one, or none. */
export type TunnelState = 'opening' | 'open' | 'half-closed' | 'closed';

/** What is fixed when a tunnel begins. */
export interface TunnelBeginning {
  readonly id: number;
  readonly request: OpenRequest;
  /** Whether this end opens it. */
  readonly isOurs: boolean;
  /** Bytes that may come and not be taken; `request.credit` of them at first, when this end opens it. */
  readonly window: number;
  /** Bytes that may be sent to it at first. */
  readonly credit: number;
}

/** Bytes both ways between a user at this end and one at the other, in their order and each once, whichever carriers they take. */
export class Tunnel {
  readonly id: number;
  readonly request: OpenRequest;
  /** Whether this end opened it. */
  readonly isOurs: boolean;
  /** What it rides on now; the session's to set, as the next two. */
  carrier: Carrier | undefined;
  /** A carrier that was left, while it is not known what arrived of it. */
  waitsFor: Carrier | undefined;
  /** Whether its opening was sent, or has come. */
  isOpened: boolean;
  user: TunnelUser = nobody;
  readonly #host: TunnelHost;
  readonly #queue = new SendQueue();
  readonly #window: ReceiveWindow;
  #sentOffset = 0;
  #sendLimit: number;
  #blockedAt = -1;
  #wantsDrain = false;
  #finishing = false;
  #sentFinish = false;
  #finalOffset: number | undefined;
  #gotFinish = false;
  #accepted = false;
  #isOver = false;
  #early: EarlyBytes | undefined;

  constructor({ id, request, isOurs, window, credit }: TunnelBeginning, host: TunnelHost) {
    this.id = id;
    this.request = request;
    this.isOurs = isOurs;
    this.isOpened = !isOurs;
    this.#host = host;
    this.#window = new ReceiveWindow(window, host.limits.widestWindowBytes, isOurs ? request.credit : window);
    this.#sendLimit = credit;
  }

  /** Bytes that came for its user, and that were sent for it. */
  get bytesIn(): number {
    return this.#window.received;
  }

  get bytesOut(): number {
    return this.#sentOffset;
  }

  /** Bytes that came and that its user has not taken, or cannot have yet because others go before them. */
  get unreadBytes(): number {
    return this.#window.unread + (this.#early?.cost ?? 0);
  }

  get state(): TunnelState {
    if (this.#isOver) return 'closed';
    if (!this.#accepted) return 'opening';
    return this.#sentFinish || this.#gotFinish ? 'half-closed' : 'open';
  }

  /** Whether its other end has what it leads to. */
  get isAccepted(): boolean {
    return this.#accepted;
  }

  /** Whether it waits for a carrier: it goes on by itself when there is one. */
  get isWaiting(): boolean {
    return !this.#isOver && this.carrier === undefined;
  }

  /** What the tunnel leads to is there. For the end that did not open it. */
  accept(): void {
    if (this.#accepted || this.#isOver || this.isOurs) return;
    this.#accepted = true;
    this.#host.send(this, encodeFrame(frameTypes.accept, this.id));
  }

  /**
   * Sends bytes, which are the tunnel's from now on: they may have to be sent again.
   *
   * @param hasRoom Whether the 16 bytes before them in their buffer are free: then a frame is made without copying.
   * @param release To be called when the bytes have arrived or are not needed any more.
   * @returns Whether more may follow at once; else {@link TunnelUser.onDrain} tells.
   */
  write(bytes: Uint8Array, hasRoom = false, release?: () => void): boolean {
    if (this.#isOver || this.#finishing) {
      release?.();
      return true;
    }
    if (bytes.length > 0) this.#queue.add({ bytes, hasRoom, release });
    else release?.();
    this.pump();
    this.#wantsDrain = !this.#queue.isEmpty;
    return !this.#wantsDrain;
  }

  /** Nothing more will be written. */
  finish(): void {
    if (this.#isOver || this.#finishing) return;
    this.#finishing = true;
    this.pump();
  }

  /** Breaks both directions off; the user is told nothing more. */
  reset(reset: TunnelReset): void {
    if (this.#isOver) return;
    this.#end();
    const frame = encodeReset(frameTypes.reset, this.id, reset, this.#host.limits.messageBytes);
    this.#host.send(this, frame);
    this.#host.over(this);
  }

  /** The user has taken bytes that came: as many more may come. */
  consumed(bytes: number): void {
    if (this.#isOver) return;
    this.#host.unread.count(-this.#window.consume(bytes));
    this.giveCredit();
  }

  // The session's to call

  /** Lets more come when half a window has been taken. */
  giveCredit(): void {
    if (this.#isOver || this.#finalOffset !== undefined) return;
    this.#tellLimit(this.#window.credit(this.#host.unread.isScarce));
  }

  /** Tells the other end again up to where it may send, so that it learns what the tunnel rides on. */
  tellCredit(): void {
    this.#tellLimit(this.#window.limit);
  }

  /** Lets a window grow no wider than this, for readers for whom no more is to be kept. Bytes. */
  boundWindow(bytes: number): void {
    this.#window.bound(bytes);
  }

  /** Sends what may be sent. */
  pump(): void {
    while (!this.#queue.isEmpty && this.#host.maySend(this)) {
      const most = Math.min(this.#sendLimit - this.#sentOffset, this.#host.limits.dataBytes);
      const piece = most > 0 ? this.#queue.take(most) : undefined;
      if (piece === undefined) {
        this.#tellBlocked();
        return;
      }
      const offset = this.#sentOffset;
      this.#sentOffset += piece.bytes.length;
      this.#host.sendData(this, offset, piece);
    }
    if (this.#isOver || !this.#queue.isEmpty) return;
    if (this.#finishing) this.#sendFinish();
    if (!this.#wantsDrain || this.#isOver) return;
    this.#wantsDrain = false;
    this.user.onDrain();
  }

  takeAccept(): void {
    if (this.#accepted || this.#isOver || !this.isOurs) return;
    this.#accepted = true;
    this.user.onAccepted?.();
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  takeData(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end > this.#window.limit) throw new SessionProtocolError('more came on a tunnel than was allowed');
    if (end > (this.#finalOffset ?? end)) throw new SessionProtocolError('a tunnel goes on after its end');
    this.takeAccept();
    const { received } = this.#window;
    if (end <= received || this.#isOver) return;
    if (offset > received) {
      this.#keepEarly(offset, bytes);
      return;
    }
    this.#deliver(offset === received ? bytes : bytes.subarray(received - offset));
    if (this.#early !== undefined) this.#deliverEarly(this.#early);
    this.#finishIfAll();
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  takeFinish(offset: number): void {
    const came = Math.max(this.#window.received, this.#early?.end ?? 0);
    if (offset < came || (this.#finalOffset ?? offset) !== offset) {
      throw new SessionProtocolError('a tunnel ends before its last byte');
    }
    if (offset > this.#window.limit) throw new SessionProtocolError('a tunnel ends beyond what was allowed');
    this.takeAccept();
    this.#finalOffset = offset;
    this.#finishIfAll();
  }

  takeCredit(limit: number): void {
    if (limit <= this.#sendLimit || this.#isOver) return;
    this.#sendLimit = limit;
    this.pump();
  }

  /** The other end had more than it might send. A reader that keeps up gets a wider window. */
  takeBlocked(limit: number): void {
    if (this.#isOver || this.#finalOffset !== undefined) return;
    this.#tellLimit(this.#window.blocked(limit, this.#host.unread.isScarce));
  }

  takeReset(reset: TunnelReset): void {
    if (this.#isOver) return;
    this.#end();
    this.#host.over(this);
    this.user.onReset(reset);
  }

  /** Breaks it off from this end though its user did not want that. */
  breakOff(reset: TunnelReset): void {
    if (this.#isOver) return;
    this.reset(reset);
    this.user.onReset(reset);
  }

  #tellBlocked(): void {
    if (this.#blockedAt === this.#sendLimit) return;
    this.#blockedAt = this.#sendLimit;
    this.#host.send(this, encodeNumber(frameTypes.blocked, this.id, this.#sendLimit));
  }

  #tellLimit(limit: number | undefined): void {
    if (limit !== undefined) this.#host.send(this, encodeNumber(frameTypes.credit, this.id, limit));
  }

  #sendFinish(): void {
    if (this.#sentFinish || !this.#host.maySend(this)) return;
    this.#sentFinish = true;
    this.#host.send(this, encodeNumber(frameTypes.finish, this.id, this.#sentOffset));
    this.#closeIfDone();
  }

  #keepEarly(offset: number, bytes: Uint8Array): void {
    this.#early ??= new EarlyBytes();
    const before = this.#early.cost;
    this.#early.add(offset, bytes);
    const { cost, stretches } = this.#early;
    this.#host.unread.count(cost - before);
    if (stretches > this.#host.limits.earlyStretches) {
      throw new SessionProtocolError('a tunnel comes in too many pieces');
    }
  }

  #deliverEarly(early: EarlyBytes): void {
    while (!this.#isOver) {
      const before = early.cost;
      const bytes = early.take(this.#window.received);
      if (early.cost !== before) this.#host.unread.count(early.cost - before);
      if (bytes === undefined) break;
      this.#deliver(bytes);
    }
    if (early.stretches === 0) this.#early = undefined;
  }

  #deliver(bytes: Uint8Array): void {
    this.#window.arrive(bytes.length);
    this.#host.unread.count(bytes.length);
    if (!this.#isOver) this.user.onData(bytes);
  }

  #finishIfAll(): void {
    if (this.#finalOffset !== this.#window.received || this.#gotFinish || this.#isOver) return;
    this.#gotFinish = true;
    this.user.onFinish();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (!this.#gotFinish || !this.#sentFinish || this.#isOver) return;
    this.#end();
    this.#host.over(this);
    this.user.onOver?.();
  }

  #end(): void {
    this.#isOver = true;
    this.#queue.clear();
    const unread = this.unreadBytes;
    this.#early = undefined;
    this.#window.consume(unread);
    if (unread > 0) this.#host.unread.count(-unread);
  }
}

const nobody: TunnelUser = { onData() {}, onFinish() {}, onReset() {}, onDrain() {} };
