import type { Socket } from 'node:net';
import { resetSocket, sendNow, takeError, takeUnread } from '@manypath/mptcp';
import { resetCodes, type Tunnel, type TunnelReset, type TunnelUser } from '@manypath/session';
import { transportLimits } from './limits.ts';
import { SlabReader, type SlabSink } from './slab-reader.ts';

export interface JointOptions {
  readonly lingerMs: number;
  readonly idleMs: number;
  readonly halfClosedIdleMs: number;
  /** Bytes from the socket after which it counts as sending in bulk. */
  readonly bulkAfterBytes: number;
}

/**
 * Copies bytes between a socket and a tunnel until both directions have ended. The end of one is passed on while the other goes on; a
 * side that is slow holds the other one up; one that breaks off has the other one broken off, after what it said last.
 */
export class TunnelJoint implements TunnelUser {
  readonly socket: Socket;
  readonly tunnel: Tunnel;
  readonly #options: JointOptions;
  readonly #onDone: () => void;
  #reader: SlabReader | undefined;
  #bytesFromSocket = 0;
  #bytesFromTunnel = 0;
  /** Bytes of the tunnel that the socket has not taken. */
  #untaken = 0;
  /** What is given to the kernel past Node does not count for its timer. */
  #movedAtLastLook = 0;
  #socketEnded = false;
  #tunnelEnded = false;
  #reset: TunnelReset | undefined;
  #isDone = false;

  /** @param onDone Told once, when both are closed. */
  constructor(socket: Socket, tunnel: Tunnel, onDone: () => void, options: JointOptions = transportLimits) {
    this.socket = socket;
    this.tunnel = tunnel;
    this.#onDone = onDone;
    this.#options = options;
  }

  get bytesFromSocket(): number {
    return this.#bytesFromSocket;
  }

  get bytesFromTunnel(): number {
    return this.#bytesFromTunnel;
  }

  /** Begins to copy. What the socket has read already goes first. */
  start(): void {
    const { socket } = this;
    socket.on('data', this.#onSocketData);
    // Who ended while the tunnel was opened does not say so again.
    if (socket.readableEnded) queueMicrotask(this.#onSocketEnd);
    else socket.once('end', this.#onSocketEnd);
    socket.on('error', this.#onSocketError);
    socket.once('close', this.#onSocketClose);
    socket.on('timeout', this.#onIdle);
    socket.setTimeout(this.#options.idleMs);
    if (socket.destroyed) queueMicrotask(this.#onSocketClose);
    else socket.resume();
  }

  /** Breaks both sides off. */
  abort(reset: TunnelReset): void {
    if (this.#isDone || this.#reset !== undefined) return;
    this.#reset = reset;
    this.tunnel.reset(reset);
    this.#tunnelEnded = true;
    resetSocket(this.socket);
  }

  onData(bytes: Uint8Array): void {
    this.#bytesFromTunnel += bytes.length;
    const sent = sendNow(this.socket, bytes);
    if (sent > 0) this.tunnel.consumed(sent);
    if (sent === bytes.length) return;
    // The rest waits, and what it lies in is read into again.
    const rest = Buffer.from(bytes.subarray(sent));
    this.#untaken += rest.length;
    this.socket.write(rest, this.#onWritten);
  }

  onFinish(): void {
    this.#tunnelEnded = true;
    if (!this.#socketEnded) this.socket.setTimeout(this.#options.halfClosedIdleMs);
    this.socket.end();
  }

  onReset(reset: TunnelReset): void {
    if (this.#isDone || this.#reset !== undefined) return;
    this.#reset = reset;
    this.#tunnelEnded = true;
    const { socket } = this;
    socket.pause();
    if (socket.writableLength === 0) {
      resetSocket(socket);
      return;
    }
    const timer = setTimeout(() => resetSocket(socket), this.#options.lingerMs);
    socket.write(nothing, () => resetSocket(socket));
    socket.once('close', () => clearTimeout(timer));
  }

  onDrain(): void {
    this.socket.resume();
  }

  readonly #onSocketData = (chunk: Buffer): void => {
    this.#bytesFromSocket += chunk.length;
    if (!this.tunnel.write(chunk)) this.socket.pause();
    if (this.#bytesFromSocket >= this.#options.bulkAfterBytes) this.#readSlabs();
  };

  /** Much comes: from now on it is read into memory that is used again. What the stream holds has to come out of it before. */
  #readSlabs(): void {
    if (this.#reader !== undefined || this.socket.readableLength > 0) return;
    this.#reader = new SlabReader(this.#onSlab);
    if (this.#reader.attach(this.socket)) this.socket.off('data', this.#onSocketData);
  }

  readonly #onSlab: SlabSink = (bytes, release) => {
    this.#bytesFromSocket += bytes.length;
    return this.tunnel.write(bytes, true, release);
  };

  readonly #onSocketEnd = (): void => {
    const error = takeError(this.socket);
    if (error !== undefined) {
      this.#onSocketError(error);
      return;
    }
    this.#socketEnded = true;
    if (!this.#tunnelEnded) this.socket.setTimeout(this.#options.halfClosedIdleMs);
    this.tunnel.finish();
  };

  readonly #onSocketError = (error: Error): void => {
    this.abort({ code: resetCodes.broken, message: error.message });
  };

  /** A write has failed, and the socket is about to be closed: what its other end said before is still to be read. */
  #takeLast(): void {
    // What Node has read comes first.
    const held: Buffer | null = this.socket.readableLength > 0 ? this.socket.read() : null;
    for (const last of [held ?? nothing, takeUnread(this.socket, mostUnreadBytes)]) {
      if (last.length === 0) continue;
      this.#bytesFromSocket += last.length;
      this.tunnel.write(last);
    }
  }

  readonly #onSocketClose = (): void => {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#reader?.close();
    if (!(this.#socketEnded && this.#tunnelEnded) && this.#reset === undefined) {
      this.#reset = { code: resetCodes.broken, message: 'the connection was broken off' };
      this.tunnel.reset(this.#reset);
    }
    this.#onDone();
  };

  readonly #onIdle = (): void => {
    const moved = this.#bytesFromSocket + this.#bytesFromTunnel;
    if (moved !== this.#movedAtLastLook) {
      this.#movedAtLastLook = moved;
      this.socket.setTimeout(this.socket.timeout ?? 0);
      return;
    }
    this.abort({ code: resetCodes.idle, message: 'no byte went either way for too long' });
  };

  readonly #onWritten = (error?: Error | null): void => {
    if (error) {
      this.#takeLast();
      return;
    }
    const waiting = this.socket.writableLength;
    const taken = this.#untaken - waiting;
    if (taken <= 0) return;
    this.#untaken = waiting;
    this.tunnel.consumed(taken);
  };
}

const nothing = new Uint8Array();
/** What is read at most of a socket that takes nothing any more: an answer that came before its request was over. */
const mostUnreadBytes = 1_048_576;
