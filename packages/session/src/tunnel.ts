import type { Carrier } from './carrier.ts';
import { SessionProtocolError } from './errors.ts';
import type { OpenRequest, TunnelReset } from './frames.ts';
import type { SessionLimits } from './limits.ts';

/** Who uses a tunnel at this end. */
export interface TunnelUser {
  /** The other end has what the tunnel leads to. Told to the one who opened it. */
  onAccepted?(): void;
  /** Bytes come, and are good until this returns. They count as taken when {@link Tunnel.consumed} is called. */
  onData(bytes: Uint8Array): void;
  /** No more will come. */
  onFinish(): void;
  /** It was broken off: by the other end, or because the session is over. Nothing follows. */
  onReset(reset: TunnelReset): void;
  /** More may be written, after {@link Tunnel.write} had said no. */
  onDrain(): void;
  /** Both directions have ended as they should. */
  onOver?(): void;
}

/** What a tunnel needs of its session. */
export interface TunnelHost {
  readonly limits: SessionLimits;
  sendData(tunnel: Tunnel, offset: number, piece: Piece): void;
  sendFinish(tunnel: Tunnel, offset: number): void;
  sendCredit(tunnel: Tunnel, limit: number): void;
  sendBlocked(tunnel: Tunnel, limit: number): void;
  sendReset(tunnel: Tunnel, reset: TunnelReset): void;
  sendAccept(tunnel: Tunnel): void;
  /** Whether something can be sent for it at once. */
  maySend(tunnel: Tunnel): boolean;
  /** Counts bytes that its user has got (`+`) and taken (`-`). @returns Whether readers of the whole session hold too much. */
  countUnread(bytes: number): boolean;
  /** Both its directions are over. */
  over(tunnel: Tunnel): void;
}

/** Bytes to be sent. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Whether the 16 bytes before them are free for the head of their frame. */
  readonly hasRoom: boolean;
  readonly release: (() => void) | undefined;
}

/** Whether bytes go both ways, one, or none. */
export type TunnelState = 'opening' | 'open' | 'half-closed' | 'closed';

/** Bytes both ways between a user at this end and one at the other, in their order and each once, whichever carriers they take. */
export class Tunnel {
  readonly id: number;
  readonly request: OpenRequest;
  /** Whether this end opened it. */
  readonly isOurs: boolean;
  /** What it rides on now; the session's to set, as the next. */
  carrier: Carrier | undefined;
  /** A carrier that was left, while it is not known what arrived of it. */
  waitsFor: Carrier | undefined;
  user: TunnelUser = nobody;
  readonly #host: TunnelHost;
  readonly #queue: Piece[] = [];
  #sentOffset = 0;
  #sendLimit: number;
  #blockedAt = -1;
  #wantsDrain = false;
  #finishing = false;
  #sentFinish = false;
  #receivedOffset = 0;
  #consumed = 0;
  #receiveLimit: number;
  /** The last limit that the other end was held up by. */
  #blockedUpTo = 0;
  #window: number;
  #widestWindow: number;
  #finalOffset: number | undefined;
  #gotFinish = false;
  #accepted = false;
  #isOver = false;
  /** What came before the bytes that go before it, by offset. */
  #early: Map<number, Uint8Array> | undefined;

  /**
   * @param window Bytes that may come and not be taken; `request.credit` of them at first, when this end opens it.
   * @param credit Bytes that may be sent to it at first.
   */
  constructor(
    about: { id: number; request: OpenRequest; isOurs: boolean; window: number; credit: number },
    host: TunnelHost,
  ) {
    this.id = about.id;
    this.request = about.request;
    this.isOurs = about.isOurs;
    this.#host = host;
    this.#window = about.window;
    this.#widestWindow = host.limits.widestWindowBytes;
    this.#receiveLimit = about.isOurs ? about.request.credit : about.window;
    this.#sendLimit = about.credit;
  }

  /** Bytes that came for its user, and that were sent for it. */
  get bytesIn(): number {
    return this.#receivedOffset;
  }

  get bytesOut(): number {
    return this.#sentOffset;
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
    if (this.#accepted || this.#isOver) return;
    this.#accepted = true;
    this.#host.sendAccept(this);
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
    this.#queue.push({ bytes, hasRoom, release });
    this.pump();
    this.#wantsDrain = this.#queue.length > 0;
    return !this.#wantsDrain;
  }

  /** Nothing more will be written. */
  finish(): void {
    if (this.#isOver || this.#finishing) return;
    this.#finishing = true;
    this.pump();
  }

  /** Breaks both directions off. */
  reset(reset: TunnelReset): void {
    if (this.#isOver) return;
    this.#end();
    this.#host.sendReset(this, reset);
    this.#host.over(this);
  }

  /** The user has taken bytes that came: as many more may come. */
  consumed(bytes: number): void {
    if (this.#isOver) return;
    this.#consumed += bytes;
    if (!this.#host.countUnread(-bytes)) this.giveCredit();
  }

  /** Lets more come when half a window has been taken; the session's to call when readers had held too much. */
  giveCredit(): void {
    if (this.#finalOffset !== undefined) return;
    const limit = this.#consumed + this.#window;
    if (limit - this.#receiveLimit >= this.#window / 2) this.#raiseLimit(limit);
  }

  /** Sends what may be sent; the session's to call. */
  pump(): void {
    while (this.#queue.length > 0 && this.#host.maySend(this)) {
      const piece = this.#nextPiece();
      if (piece === undefined) {
        this.#tellBlocked();
        return;
      }
      const offset = this.#sentOffset;
      this.#sentOffset += piece.bytes.length;
      this.#host.sendData(this, offset, piece);
    }
    if (this.#queue.length > 0) return;
    if (this.#finishing && !this.#sentFinish) this.#sendFinish();
    if (!this.#wantsDrain || this.#isOver) return;
    this.#wantsDrain = false;
    this.user.onDrain();
  }

  /** As much of the first piece as one frame and the credit take; `undefined` when there is no credit. */
  #nextPiece(): Piece | undefined {
    const [first] = this.#queue;
    if (first === undefined) return undefined;
    const most = Math.min(this.#sendLimit - this.#sentOffset, this.#host.limits.dataBytes);
    if (most <= 0) return undefined;
    if (first.bytes.length <= most) {
      this.#queue.shift();
      return first;
    }
    // What lies before the rest is part of this frame, which may have to be sent again: there is no room there.
    this.#queue[0] = { bytes: first.bytes.subarray(most), hasRoom: false, release: first.release };
    return { bytes: first.bytes.subarray(0, most), hasRoom: first.hasRoom, release: undefined };
  }

  #tellBlocked(): void {
    if (this.#blockedAt === this.#sendLimit) return;
    this.#blockedAt = this.#sendLimit;
    this.#host.sendBlocked(this, this.#sendLimit);
  }

  #sendFinish(): void {
    if (!this.#host.maySend(this)) return;
    this.#sentFinish = true;
    this.#host.sendFinish(this, this.#sentOffset);
    this.#closeIfDone();
  }

  // What comes from the other end: the session's to call

  takeAccept(): void {
    if (this.#accepted || this.#isOver || !this.isOurs) return;
    this.#accepted = true;
    this.user.onAccepted?.();
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  takeData(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end > this.#receiveLimit) throw new SessionProtocolError('more came on a tunnel than was allowed');
    if (end > (this.#finalOffset ?? end)) throw new SessionProtocolError('a tunnel goes on after its end');
    if (end <= this.#receivedOffset || this.#isOver) return;
    if (offset > this.#receivedOffset) {
      this.#keepEarly(offset, bytes);
      return;
    }
    this.#deliver(bytes.subarray(this.#receivedOffset - offset));
    this.#deliverEarly();
    this.#finishIfAll();
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  takeFinish(offset: number): void {
    if (offset < this.#receivedOffset || (this.#finalOffset ?? offset) !== offset) {
      throw new SessionProtocolError('a tunnel ends before its last byte');
    }
    this.#finalOffset = offset;
    this.#finishIfAll();
  }

  takeCredit(limit: number): void {
    if (limit <= this.#sendLimit) return;
    this.#sendLimit = limit;
    this.pump();
  }

  /** The other end had more than it might send. A reader that keeps up gets a wider window. */
  takeBlocked(limit: number): void {
    if (limit <= this.#blockedUpTo || limit > this.#receiveLimit || this.#isOver) return;
    this.#blockedUpTo = limit;
    const unread = this.#receivedOffset - this.#consumed;
    if (unread > this.#window / 2 || this.#host.countUnread(0)) return;
    this.#window = Math.max(this.#window, Math.min(this.#window * 2, this.#widestWindow));
    this.#raiseLimit(this.#consumed + this.#window);
  }

  takeReset(reset: TunnelReset): void {
    if (this.#isOver) return;
    this.#end();
    this.#host.over(this);
    this.user.onReset(reset);
  }

  /** Lets a window grow no wider than this, for readers for whom no more is to be kept. Bytes. */
  boundWindow(bytes: number): void {
    this.#widestWindow = bytes;
    this.#window = Math.min(this.#window, bytes);
  }

  #keepEarly(offset: number, bytes: Uint8Array): void {
    this.#early ??= new Map();
    const kept = this.#early.get(offset);
    if (kept !== undefined && kept.length >= bytes.length) return;
    if (this.#early.size >= mostEarly) throw new SessionProtocolError('a tunnel comes in too many pieces');
    this.#early.set(offset, Uint8Array.from(bytes));
  }

  #deliver(bytes: Uint8Array): void {
    this.#receivedOffset += bytes.length;
    this.#host.countUnread(bytes.length);
    this.user.onData(bytes);
  }

  #deliverEarly(): void {
    if (this.#early === undefined) return;
    for (const [offset, bytes] of [...this.#early].sort(([one], [other]) => one - other)) {
      if (offset > this.#receivedOffset) break;
      this.#early.delete(offset);
      const known = this.#receivedOffset - offset;
      if (known < bytes.length && !this.#isOver) this.#deliver(bytes.subarray(known));
    }
    if (this.#early.size === 0) this.#early = undefined;
  }

  #finishIfAll(): void {
    if (this.#finalOffset !== this.#receivedOffset || this.#gotFinish || this.#isOver) return;
    this.#gotFinish = true;
    this.user.onFinish();
    this.#closeIfDone();
  }

  #raiseLimit(limit: number): void {
    if (limit <= this.#receiveLimit) return;
    this.#receiveLimit = limit;
    this.#host.sendCredit(this, limit);
  }

  #closeIfDone(): void {
    if (!this.#gotFinish || !this.#sentFinish || this.#isOver) return;
    this.#end();
    this.#host.over(this);
    this.user.onOver?.();
  }

  #end(): void {
    this.#isOver = true;
    this.#early = undefined;
    for (const { release } of this.#queue.splice(0)) release?.();
    this.#host.countUnread(this.#consumed - this.#receivedOffset);
    this.#consumed = this.#receivedOffset;
  }
}

/** Pieces that came before what goes before them: they do only while a tunnel goes over to another carrier. */
const mostEarly = 4096;

const nobody: TunnelUser = { onData() {}, onFinish() {}, onReset() {}, onDrain() {} };
