import { ManypathError } from '../errors.ts';
import {
  decodeStreamFrame,
  encodeDataHead,
  encodeStreamFrame,
  longestTarget,
  type StreamFrame,
  type StreamKind,
  type StreamResetReason,
} from './stream-frames.ts';

/** The other side did what docs/STREAMS.md rules out for the connection as a whole. It cannot be used any further. */
export class StreamProtocolError extends ManypathError {
  constructor(reason: string) {
    super('MANYPATH_STREAM_PROTOCOL', `the other side of a stream connection broke its rules: ${reason}`);
  }
}

/** What a {@link StreamMultiplexer} keeps at most. */
export interface StreamLimits {
  /** Streams that are open at once. */
  readonly streams: number;
  /** Bytes that the other side may send on one stream before they are consumed, at first. */
  readonly windowBytes: number;
  /** The same for a stream whose data is consumed as it comes. */
  readonly widestWindowBytes: number;
  /** What all streams together may have above `windowBytes`. */
  readonly windowBudgetBytes: number;
  /** A window is widened when half of it was consumed within this time, in milliseconds. */
  readonly widenMs: number;
  /** Bytes of data in one frame: so long the others wait. With its head it just fits what browsers pass on without shared memory. */
  readonly frameBytes: number;
}

export const streamLimits: StreamLimits = {
  streams: 4096,
  windowBytes: 131_072,
  widestWindowBytes: 1_572_864,
  windowBudgetBytes: 33_554_432,
  widenMs: 20,
  frameBytes: 65_531,
};

/** What comes out of a connection. */
export type StreamEvent =
  /** The other side wants a stream; answer with `accept` or `reset`. */
  | {
      readonly event: 'open';
      readonly stream: number;
      readonly kind: StreamKind;
      readonly target: string;
      readonly local: boolean;
      readonly origin: string;
    }
  /** The other side has opened it. */
  | { readonly event: 'opened'; readonly stream: number; readonly local: string; readonly remote: string }
  /** Data; to be told to `consumed` when it is out of the way. */
  | { readonly event: 'data'; readonly stream: number; readonly bytes: Uint8Array }
  /** The other side sends nothing more. */
  | { readonly event: 'finish'; readonly stream: number }
  /** The other side reads nothing more. */
  | { readonly event: 'stop'; readonly stream: number }
  /** The program that the stream leads to has ended, and how. What it wrote still comes; it reads nothing more. */
  | { readonly event: 'exit'; readonly stream: number; readonly outcome: string }
  /** The side that opens asks for what can be told of a stream (`text` is empty), or is told. */
  | { readonly event: 'info'; readonly stream: number; readonly text: string }
  /** The other side broke it off, or broke its rules. */
  | {
      readonly event: 'reset';
      readonly stream: number;
      readonly reason: StreamResetReason;
      readonly message: string;
    };

interface Stream {
  readonly kind: StreamKind;
  /** Whether it leads to a program that has ended. */
  hasExited: boolean;
  /** Bytes that may still be sent. */
  credit: number;
  queue: Uint8Array[];
  queuedBytes: number;
  isFinishing: boolean;
  sentFinish: boolean;
  receivedFinish: boolean;
  sentStop: boolean;
  receivedStop: boolean;
  /** Bytes that the other side may still send, as it knows. */
  window: number;
  /** What {@link window} is when everything has been consumed. */
  wholeWindow: number;
  /** Bytes that were consumed and not yet credited. */
  consumed: number;
  /** When credit was given last. */
  creditedAt: number;
  isAccepted: boolean;
}

/**
 * Many streams on one connection that carries messages in order: bytes in, events out, without any I/O (docs/STREAMS.md).
 *
 * The side that opens streams and the one that accepts them are the same but for that. Each direction of each stream has a
 * credit: what is sent is never more than the other side has room for, so that a slow reader stops its own sender
 * and nobody else's. What is to be sent is taken out frame by frame (`next`), a frame of each stream in turn, so
 * that a long transfer delays no other stream by more than one frame.
 */
export class StreamMultiplexer {
  readonly #opens: boolean;
  readonly #limits: StreamLimits;
  readonly #now: () => number;
  readonly #streams = new Map<number, Stream>();
  /** Frames that go before data. */
  readonly #urgent: StreamFrame[] = [];
  /** Streams that have something to send and may, each once, in turn. */
  readonly #ready = new Set<number>();
  /** The highest stream so far: those below it that are not there are over. */
  #last = 0;
  /** What the windows of all streams have above what they began with. */
  #widened = 0;

  /** @param now Milliseconds of a clock. */
  constructor(
    side: 'opens' | 'accepts',
    limits: Partial<StreamLimits> = {},
    now: () => number = () => Date.now(),
  ) {
    this.#opens = side === 'opens';
    this.#now = now;
    this.#limits = { ...streamLimits, ...limits };
  }

  /** Streams that are open now. */
  get size(): number {
    return this.#streams.size;
  }

  /**
   * Asks the other side for a stream. Data may be written at once; it leaves when the other side has room for it.
   *
   * @param local Whether it may lead to the host of the other side or the networks that it is on. Default false.
   * @returns Its number; `undefined` when there are too many.
   * @throws RangeError when the target is too long
   */
  open(kind: StreamKind, target: string, local = false): number | undefined {
    if (target.length > longestTarget) throw new RangeError(`a target has at most ${longestTarget} bytes`);
    if (this.#streams.size >= this.#limits.streams || this.#last >= 0xffff_ffff) return undefined;
    const stream = ++this.#last;
    const { windowBytes: credit } = this.#limits;
    this.#streams.set(stream, newStream(kind, 0, credit));
    this.#urgent.push({ type: 'open', stream, credit, kind, target, local, origin: '' });
    return stream;
  }

  /** Says that a stream of the other side is open. @param local `host:port` of this end, and `remote` of the other one. */
  accept(stream: number, local = '', remote = ''): void {
    const state = this.#streams.get(stream);
    if (state === undefined || state.isAccepted) return;
    state.isAccepted = true;
    this.#urgent.push({ type: 'opened', stream, credit: state.window, local, remote });
    this.#schedule(stream, state);
  }

  /**
   * Queues data. It is kept, not copied.
   *
   * @returns Whether the other side has room for more. Nothing is lost by writing more, but it takes memory.
   */
  write(stream: number, bytes: Uint8Array): boolean {
    const state = this.#streams.get(stream);
    if (state === undefined || state.isFinishing || state.receivedStop || bytes.length === 0)
      return state !== undefined;
    state.queue.push(bytes);
    state.queuedBytes += bytes.length;
    this.#schedule(stream, state);
    return state.queuedBytes < state.credit;
  }

  /** Bytes that are queued and have not been taken out yet. */
  queued(stream: number): number {
    return this.#streams.get(stream)?.queuedBytes ?? 0;
  }

  /** Asks for what can be told of a stream, or tells it: JSON. */
  info(stream: number, text = ''): void {
    if (this.#streams.has(stream)) this.#urgent.push({ type: 'info', stream, text });
  }

  /** Sends nothing more on a stream after what is queued. */
  finish(stream: number): void {
    const state = this.#streams.get(stream);
    if (state === undefined || state.isFinishing) return;
    state.isFinishing = true;
    this.#schedule(stream, state);
  }

  /** Says at once how the program of a stream ended. What it wrote still goes; nothing more is read. */
  exit(stream: number, outcome: string): void {
    const state = this.#streams.get(stream);
    if (state === undefined || state.hasExited) return;
    state.hasExited = true;
    state.sentStop = true;
    this.#urgent.push({ type: 'exit', stream, outcome });
    this.#forgetIfOver(stream, state);
  }

  /** Reads nothing more on a stream: what still comes is dropped. The other direction goes on. */
  stop(stream: number): void {
    const state = this.#streams.get(stream);
    if (state === undefined || state.sentStop || state.receivedFinish) return;
    state.sentStop = true;
    this.#urgent.push({ type: 'stop', stream });
    this.#forgetIfOver(stream, state);
  }

  /** Breaks a stream off: what is queued is dropped. */
  reset(stream: number, reason: StreamResetReason, message = ''): void {
    if (!this.#forget(stream)) return;
    this.#urgent.push({ type: 'reset', stream, reason, message });
  }

  /** So many bytes of a stream's data are out of the way: the other side may send as many again. */
  consumed(stream: number, bytes: number): void {
    const state = this.#streams.get(stream);
    if (state === undefined || state.receivedFinish || state.sentStop) return;
    state.consumed += bytes;
    // Each credit wakes four processes: as seldom as does not make the sender wait.
    if (state.consumed < state.wholeWindow / 2 || !state.isAccepted) return;
    const credit = state.consumed + this.#widen(state);
    state.creditedAt = this.#now();
    this.#urgent.push({ type: 'credit', stream, credit });
    state.window += credit;
    state.consumed = 0;
  }

  /** A stream that is so fast that it would be held up by the way its credit takes gets a wider window. */
  #widen(state: Stream): number {
    const { widestWindowBytes, windowBudgetBytes, widenMs } = this.#limits;
    if (this.#now() - state.creditedAt > widenMs) return 0;
    const room = Math.min(widestWindowBytes - state.wholeWindow, windowBudgetBytes - this.#widened);
    const more = Math.max(0, Math.min(room, Math.floor(state.wholeWindow / 2)));
    state.wholeWindow += more;
    this.#widened += more;
    return more;
  }

  /** The next message to send; `undefined` when there is none. */
  next(): Uint8Array<ArrayBuffer> | undefined {
    const frame = this.#nextFrame();
    return frame && encodeStreamFrame(frame);
  }

  /** The same in pieces that make up one message, and whose it is: data as it was written, not copied. */
  nextPieces(): { readonly stream: number; readonly pieces: readonly Uint8Array[] } | undefined {
    const frame = this.#nextFrame();
    if (frame === undefined) return undefined;
    const { stream } = frame;
    const pieces = frame.type === 'data' ? [encodeDataHead(stream), frame.bytes] : [encodeStreamFrame(frame)];
    return { stream, pieces };
  }

  #nextFrame(): StreamFrame | undefined {
    const urgent = this.#urgent.shift();
    if (urgent !== undefined) return urgent;
    for (const stream of this.#ready) {
      this.#ready.delete(stream);
      const state = this.#streams.get(stream);
      const frame = state && this.#frameOf(stream, state);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  /**
   * Takes in a message.
   *
   * @throws StreamFrameError `MANYPATH_STREAM_FRAME_INVALID`
   * @throws StreamProtocolError `MANYPATH_STREAM_PROTOCOL`
   */
  receive(message: Uint8Array): StreamEvent[] {
    const frame = decodeStreamFrame(message);
    if (frame.type === 'open') return this.#onOpen(frame);
    const state = this.#streams.get(frame.stream);
    if (state === undefined) {
      if (frame.stream > this.#last)
        throw new StreamProtocolError(`it speaks of stream ${frame.stream} before that is open`);
      // It was broken off here, and the other side did not know yet.
      return [];
    }
    switch (frame.type) {
      case 'opened':
        return this.#onOpened(frame, state);
      case 'data':
        return this.#onData(frame, state);
      case 'credit':
        return this.#onCredit(frame.stream, state, frame.credit);
      case 'finish':
        return this.#onFinish(frame.stream, state);
      case 'stop':
        return this.#onStop(frame.stream, state);
      case 'exit':
        return this.#onExit(frame.stream, state, frame.outcome);
      case 'info':
        return [{ event: 'info', stream: frame.stream, text: frame.text }];
      case 'reset':
        this.#forget(frame.stream);
        return [{ event: 'reset', stream: frame.stream, reason: frame.reason, message: frame.message }];
    }
  }

  #onOpen({ stream, credit, kind, target, local, origin }: StreamFrame & { type: 'open' }): StreamEvent[] {
    if (this.#opens) throw new StreamProtocolError('it opens a stream, which is for this side to do');
    if (stream <= this.#last) throw new StreamProtocolError(`it opens stream ${stream} again`);
    this.#last = stream;
    if (this.#streams.size >= this.#limits.streams) {
      this.#urgent.push({ type: 'reset', stream, reason: 'tooMany', message: 'too many streams' });
      return [];
    }
    this.#streams.set(stream, { ...newStream(kind, credit, this.#limits.windowBytes), isAccepted: false });
    return [{ event: 'open', stream, kind, target, local, origin }];
  }

  #onOpened(
    { stream, credit, local, remote }: StreamFrame & { type: 'opened' },
    state: Stream,
  ): StreamEvent[] {
    if (!this.#opens) throw new StreamProtocolError('it says that it opened a stream of its own');
    return [{ event: 'opened', stream, local, remote }, ...this.#onCredit(stream, state, credit)];
  }

  #onData({ stream, bytes }: StreamFrame & { type: 'data' }, state: Stream): StreamEvent[] {
    if (state.receivedFinish) return this.#offended(stream, 'it sent data after its end');
    if (bytes.length > state.window) return this.#offended(stream, 'it sent more than there is room for');
    state.window -= bytes.length;
    return state.sentStop ? [] : [{ event: 'data', stream, bytes }];
  }

  #onCredit(stream: number, state: Stream, credit: number): StreamEvent[] {
    state.credit += credit;
    if (state.credit > mostCredit) return this.#offended(stream, 'it gave more credit than can be counted');
    this.#schedule(stream, state);
    return [];
  }

  #onFinish(stream: number, state: Stream): StreamEvent[] {
    if (state.receivedFinish) return this.#offended(stream, 'it ended twice');
    state.receivedFinish = true;
    this.#forgetIfOver(stream, state);
    return [{ event: 'finish', stream }];
  }

  #onStop(stream: number, state: Stream): StreamEvent[] {
    this.#dropQueue(stream, state);
    this.#forgetIfOver(stream, state);
    return [{ event: 'stop', stream }];
  }

  #onExit(stream: number, state: Stream, outcome: string): StreamEvent[] {
    if (!this.#opens || state.kind !== 'program') return this.#offended(stream, 'it leads to no program');
    if (state.hasExited) return this.#offended(stream, 'its program ended twice');
    state.hasExited = true;
    this.#dropQueue(stream, state);
    this.#forgetIfOver(stream, state);
    return [{ event: 'exit', stream, outcome }];
  }

  /** The other side reads nothing more. */
  #dropQueue(stream: number, state: Stream): void {
    state.receivedStop = true;
    state.queue = [];
    state.queuedBytes = 0;
    this.#ready.delete(stream);
  }

  /** The other side broke the rules on one stream: that one is over, the others are not its fault. */
  #offended(stream: number, message: string): StreamEvent[] {
    this.reset(stream, 'internal', message);
    return [{ event: 'reset', stream, reason: 'internal', message }];
  }

  /** What a stream sends now: a frame's worth of data, or its end. It takes its turn again when there is more. */
  #frameOf(stream: number, state: Stream): StreamFrame | undefined {
    const most = Math.min(state.credit, this.#limits.frameBytes, state.queuedBytes);
    if (most > 0) {
      const bytes = takeFrom(state, most);
      state.credit -= most;
      this.#schedule(stream, state);
      return { type: 'data', stream, bytes };
    }
    if (!state.isFinishing || state.sentFinish || state.queuedBytes > 0) return undefined;
    state.sentFinish = true;
    this.#forgetIfOver(stream, state);
    return { type: 'finish', stream };
  }

  #schedule(stream: number, state: Stream): void {
    const hasData = state.queuedBytes > 0 && state.credit > 0;
    const hasEnd = state.isFinishing && !state.sentFinish && !state.receivedStop && state.queuedBytes === 0;
    if (state.isAccepted && (hasData || hasEnd)) this.#ready.add(stream);
  }

  #forgetIfOver(stream: number, state: Stream): void {
    const isSent = state.sentFinish || state.receivedStop;
    const isReceived = state.receivedFinish || state.sentStop;
    if (isSent && isReceived && (state.kind !== 'program' || state.hasExited)) this.#forget(stream);
  }

  #forget(stream: number): boolean {
    const state = this.#streams.get(stream);
    if (state !== undefined) this.#widened -= state.wholeWindow - this.#limits.windowBytes;
    this.#ready.delete(stream);
    return this.#streams.delete(stream);
  }
}

function newStream(kind: StreamKind, credit: number, window: number): Stream {
  return {
    kind,
    hasExited: false,
    credit,
    queue: [],
    queuedBytes: 0,
    isFinishing: false,
    sentFinish: false,
    receivedFinish: false,
    sentStop: false,
    receivedStop: false,
    window,
    wholeWindow: window,
    consumed: 0,
    creditedAt: 0,
    isAccepted: true,
  };
}

/** Far more than any window, and far from where numbers lose their last digits. */
const mostCredit = 2 ** 48;

/** Takes so many queued bytes, copied only where they lie in several pieces. */
function takeFrom(state: Stream, length: number): Uint8Array {
  state.queuedBytes -= length;
  const [first] = state.queue;
  if (first !== undefined && first.length >= length) {
    if (first.length === length) state.queue.shift();
    else state.queue[0] = first.subarray(length);
    return first.subarray(0, length);
  }
  const bytes = new Uint8Array(length);
  for (let filled = 0; filled < length; ) {
    const piece = state.queue[0] ?? new Uint8Array();
    const part = piece.subarray(0, length - filled);
    bytes.set(part, filled);
    filled += part.length;
    if (part.length === piece.length) state.queue.shift();
    else state.queue[0] = piece.subarray(part.length);
  }
  return bytes;
}
