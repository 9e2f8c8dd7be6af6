import type { TLSSocket } from 'node:tls';
import { type Carrier, type CarrierSink, type Session, SessionProtocolError } from '@manypath/session';
import { type TransportLimits, transportLimits } from './limits.ts';

/** A connection that carries a session: native TLS straight on a socket. */
export class CarrierSocket implements CarrierSink {
  readonly stream: TLSSocket;
  readonly #mostQueued: number;
  readonly #joinBytes: number;
  readonly #lingerMs: number;
  #carried: { session: Session; carrier: Carrier } | undefined;
  #onLost: (cause: Error | undefined) => void = () => {};
  #isClosed = false;

  constructor(stream: TLSSocket, limits: TransportLimits = transportLimits) {
    this.stream = stream;
    this.#mostQueued = limits.carrierQueuedBytes;
    this.#joinBytes = limits.joinBytes;
    this.#lingerMs = limits.lingerMs;
  }

  get isFull(): boolean {
    return this.stream.writableLength > this.#mostQueued;
  }

  send(pieces: readonly Uint8Array[]): void {
    if (this.#isClosed) return;
    const [only] = pieces;
    if (only === undefined) return;
    if (pieces.length === 1) {
      this.stream.write(only);
      return;
    }
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    if (bytes <= this.#joinBytes) {
      this.stream.write(Buffer.concat(pieces, bytes));
      return;
    }
    this.stream.cork();
    for (const piece of pieces) this.stream.write(piece);
    this.stream.uncork();
  }

  /**
   * Becomes carrier `id` of a session.
   *
   * @param rest What came after the first frame.
   * @param onLost Told once when the connection is lost, or speaks wrongly; the session has left it then.
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`, the session does not take it
   */
  carry(session: Session, id: number, rest: Uint8Array, onLost: (cause: Error | undefined) => void): Carrier {
    const carrier = session.attach(id, this);
    this.#carried = { session, carrier };
    this.#onLost = onLost;
    const { stream } = this;
    stream.on('data', chunk => this.#receive(chunk));
    stream.on('drain', () => session.drained(carrier));
    stream.once('end', () => this.#lost(undefined));
    stream.once('close', () => this.#lost(undefined));
    stream.on('error', error => this.#lost(error));
    if (rest.length > 0) this.#receive(rest);
    stream.resume();
    return carrier;
  }

  /** Closes the connection; the session has left it, or does now. */
  close(): void {
    this.#lost(undefined);
  }

  /** The session is over: the connection is closed when what was sent is out, or after `lingerMs`. */
  end(): void {
    if (this.#isClosed) return;
    const { stream } = this;
    const timer = setTimeout(() => this.#lost(undefined), this.#lingerMs);
    stream.once('close', () => clearTimeout(timer));
    stream.end(() => this.#lost(undefined));
  }

  #receive(chunk: Uint8Array): void {
    if (this.#carried === undefined || this.#isClosed) return;
    const { session, carrier } = this.#carried;
    try {
      session.receive(carrier, chunk);
    } catch (error) {
      if (!(error instanceof SessionProtocolError)) throw error;
      this.#lost(error);
    }
  }

  #lost(cause: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#carried !== undefined) this.#carried.session.leave(this.#carried.carrier);
    this.stream.destroy();
    this.#onLost(cause);
  }
}
