import {
  encodeText,
  longestTarget,
  type StreamEvent,
  type StreamKind,
  StreamMultiplexer,
  type StreamResetReason,
  type StreamWish,
} from '@manypath/core';
import { Burst } from './burst.ts';
import { networkError, notAllowed } from './errors.ts';
import {
  type AccessMessage,
  burstBytes,
  type FramesMessage,
  mostFrames,
  type SwitchMessage,
} from './port-messages.ts';

/** What happens to a stream, for whoever uses it. */
export interface StreamHandlers {
  onOpened(local: string, remote: string): void;
  onData(bytes: Uint8Array): void;
  /** Something that was queued has left. */
  onSent(): void;
  onFinish(): void;
  /** The program has ended; what it wrote still comes. */
  onExit(outcome: string): void;
  /** The other side reads nothing more. */
  onStop(): void;
  /** It is over, and this is why. */
  onBroken(error: DOMException): void;
  onInfo(text: string): void;
}

/** Bytes that may be on their way to the extension before it says that it took them. */
const wireBytes = 2_097_152;
/** Bytes of one stream that are taken from the page before they may leave, and of all of them. */
const aheadBytes = 262_144;
const allAheadBytes = 16_777_216;
/** Streams of one page at once. */
const pageStreams = 2048;

/** The way to the extension, for all streams of this page. */
export class PortConnection {
  readonly #port: MessagePort;
  readonly #onEnd: (connection: PortConnection) => void;
  readonly #multiplexer = new StreamMultiplexer('opens', { streams: pageStreams });
  readonly #streams = new Map<number, StreamHandlers>();
  /** Streams with data that waits to leave. */
  readonly #sending = new Set<number>();
  readonly #asked = new Map<number, { resolve(): void; reject(error: DOMException): void }>();
  readonly #burst = new Burst(() => this.#pump());
  #nextAsked = 1;
  #onTheWay = 0;
  #isOver = false;

  /** @param onEnd Told once when no stream can be opened on it any more. */
  constructor(port: MessagePort, onEnd: (connection: PortConnection) => void) {
    this.#port = port;
    this.#onEnd = onEnd;
    port.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    port.addEventListener('close', () => this.end('the extension ended the connection'));
  }

  /** Streams and questions that are open. */
  get size(): number {
    return this.#streams.size + this.#asked.size;
  }

  /**
   * Opens a stream.
   *
   * @returns Its number.
   * @throws DOMException `QuotaExceededError` when there are too many, `NetworkError` when the connection is over
   */
  open(kind: StreamKind, target: string, local: boolean, handlers: StreamHandlers): number {
    if (this.#isOver) throw networkError('the connection to the extension is over');
    if (encodeText(target).length > longestTarget)
      throw new TypeError(`a target has at most ${longestTarget} bytes`);
    const stream = this.#multiplexer.open(kind, target, local);
    if (stream === undefined)
      throw new DOMException(`a page has at most ${pageStreams} streams at once`, 'QuotaExceededError');
    this.#streams.set(stream, handlers);
    this.#burst.ask();
    return stream;
  }

  /** Asks the user for consent in advance. Rejects with a `NotAllowedError` when it is not given. */
  ask(wishes: readonly StreamWish[]): Promise<void> {
    const id = this.#nextAsked++;
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(networkError('the connection to the extension is over'));
      this.#asked.set(id, { resolve, reject });
      this.#port.postMessage({ kind: 'access', id, wishes } satisfies AccessMessage);
    });
  }

  /** Queues a copy of data. @returns Whether more may be written at once; else `onSent` is told when all has left. */
  write(stream: number, bytes: Uint8Array): boolean {
    this.#multiplexer.write(stream, bytes.slice());
    this.#burst.ask();
    const queued = this.#multiplexer.queued(stream);
    if (queued < Math.min(aheadBytes, allAheadBytes / this.#streams.size)) return true;
    this.#sending.add(stream);
    return queued === 0;
  }

  /** Whether nothing waits to leave. */
  hasSent(stream: number): boolean {
    return this.#multiplexer.queued(stream) === 0;
  }

  /** Ends a direction after what is queued; `onSent` is told when that has left. */
  finish(stream: number): void {
    this.#multiplexer.finish(stream);
    this.#sending.add(stream);
    this.#burst.ask();
  }

  stop(stream: number): void {
    this.#multiplexer.stop(stream);
    this.#burst.ask();
  }

  consumed(stream: number, bytes: number): void {
    this.#multiplexer.consumed(stream, bytes);
    this.#burst.ask();
  }

  askInfo(stream: number): void {
    this.#multiplexer.info(stream);
    this.#burst.ask();
  }

  reset(stream: number, message: string): void {
    this.#multiplexer.reset(stream, 'cancelled', message);
    this.#burst.ask();
  }

  /** Forgets a stream that is over in both directions. */
  forget(stream: number): void {
    this.#streams.delete(stream);
    this.#sending.delete(stream);
  }

  /** It is over, with all its streams. */
  end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#port.close();
    this.#burst.close();
    this.#onEnd(this);
    const error = networkError(reason);
    for (const { reject } of this.#asked.values()) reject(error);
    for (const handlers of [...this.#streams.values()]) handlers.onBroken(error);
    this.#asked.clear();
    this.#streams.clear();
  }

  #receive(data: unknown): void {
    if (typeof data === 'number') {
      this.#onTheWay -= data;
      this.#burst.ask();
    } else if (Array.isArray(data)) {
      this.#receiveFrames(data as FramesMessage);
    } else {
      this.#receiveMessage(data as SwitchMessage);
    }
  }

  #receiveFrames(frames: FramesMessage): void {
    try {
      for (const frame of frames)
        for (const event of this.#multiplexer.receive(new Uint8Array(frame))) this.#on(event);
    } catch (error) {
      this.end(String(error));
      return;
    }
    this.#burst.ask();
  }

  #receiveMessage(message: SwitchMessage): void {
    if (message.kind === 'away') this.end(message.reason);
    if (message.kind !== 'access') return;
    const asked = this.#asked.get(message.id);
    this.#asked.delete(message.id);
    if (message.granted) asked?.resolve();
    else asked?.reject(notAllowed(message.reason));
  }

  #on(event: StreamEvent): void {
    const handlers = this.#streams.get(event.stream);
    if (handlers === undefined) return;
    switch (event.event) {
      case 'opened':
        handlers.onOpened(event.local, event.remote);
        return;
      case 'data':
        handlers.onData(event.bytes);
        return;
      case 'finish':
        handlers.onFinish();
        return;
      case 'exit':
        handlers.onExit(event.outcome);
        return;
      case 'stop':
        handlers.onStop();
        return;
      case 'info':
        handlers.onInfo(event.text);
        return;
      case 'reset':
        this.forget(event.stream);
        handlers.onBroken(errorOf(event.reason, event.message));
        return;
    }
  }

  /** Sends what may be sent. */
  #pump(): void {
    let frames = this.#nextFrames();
    while (frames.length > 0) {
      this.#port.postMessage(frames, frames);
      frames = this.#nextFrames();
    }
    for (const stream of this.#sending) {
      if (this.#multiplexer.queued(stream) > 0) continue;
      this.#sending.delete(stream);
      this.#streams.get(stream)?.onSent();
    }
  }

  /** As many as go together. */
  #nextFrames(): ArrayBuffer[] {
    const frames: ArrayBuffer[] = [];
    let bytes = 0;
    while (this.#onTheWay < wireBytes && frames.length < mostFrames && bytes < burstBytes) {
      const message = this.#multiplexer.next();
      if (message === undefined) break;
      frames.push(message.buffer);
      bytes += message.length;
      this.#onTheWay += message.length;
    }
    return frames;
  }
}

function errorOf(reason: StreamResetReason, message: string): DOMException {
  if (reason === 'denied' || reason === 'local') return notAllowed(message);
  if (reason === 'tooMany') return new DOMException(message, 'QuotaExceededError');
  return networkError(message);
}
