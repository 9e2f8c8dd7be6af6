import type { TLSSocket } from 'node:tls';
import { readInto } from '@manypath/mptcp';
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
  /** What came in this turn and is not passed on yet. */
  #gathered: Uint8Array | undefined;
  #gatheredBytes = 0;
  #isGathering = false;

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
    this.#beginToRead();
    stream.on('drain', () => session.drained(carrier));
    const ended = (): void => {
      this.#passOn();
      this.#lost(undefined);
    };
    stream.once('end', ended);
    stream.once('close', ended);
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

  #beginToRead(): void {
    const { stream } = this;
    const onRead = (length: number): boolean => {
      this.#takeRecord(length);
      return true;
    };
    if (readInto(stream, () => sharedBuffer, onRead)) return;
    stream.on('data', chunk => this.#receive(chunk));
  }

  /** Whole records, of which more follow, are gathered for what comes in one turn, so that it is passed on in few pieces. */
  #takeRecord(length: number): void {
    const record = sharedBuffer.subarray(0, length);
    if (length < sharedBuffer.length && this.#gathered === undefined) {
      this.#receive(record);
      return;
    }
    this.#gathered ??= takeGatherBuffer();
    this.#gathered.set(record, this.#gatheredBytes);
    this.#gatheredBytes += length;
    if (this.#gatheredBytes + sharedBuffer.length > this.#gathered.length) this.#passOn();
    else if (!this.#isGathering) {
      this.#isGathering = true;
      setImmediate(() => {
        this.#isGathering = false;
        this.#passOn();
      });
    }
  }

  #passOn(): void {
    const gathered = this.#gathered;
    if (gathered === undefined) return;
    const bytes = this.#gatheredBytes;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    this.#receive(gathered.subarray(0, bytes));
    giveGatherBuffer(gathered);
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

/** What a record of TLS carries at most (RFC 8446 §5.1). All carriers are read into the same memory: what comes is passed on or copied at once. */
const sharedBuffer = new Uint8Array(16_384);
const gatherBytes = 262_144;
const mostGatherBuffers = 4;
const gatherBuffers: Uint8Array[] = [];

function takeGatherBuffer(): Uint8Array {
  return gatherBuffers.pop() ?? new Uint8Array(gatherBytes);
}

function giveGatherBuffer(buffer: Uint8Array): void {
  if (gatherBuffers.length < mostGatherBuffers) gatherBuffers.push(buffer);
}
