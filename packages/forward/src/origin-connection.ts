import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type HeaderField,
  type HttpBodyLength,
  type HttpResponseEvent,
  type HttpResponseHead,
  type HttpResponseOptions,
  HttpResponseReader,
} from '@manypath/core';
import { takeError, takeUnread } from '@manypath/mptcp';

/** What an origin does while a request is on its connection. */
export interface OriginListener {
  /** An answer ahead of the answer. */
  onInformation(head: HttpResponseHead): void;
  onHead(head: HttpResponseHead, length: HttpBodyLength, codings: readonly string[]): void;
  /** @returns Whether more may follow at once; after `false` nothing does until {@link OriginConnection.resume}. */
  onData(bytes: Uint8Array): boolean;
  /** The answer is whole. The request may still be on its way. */
  onEnd(trailers: readonly HeaderField[]): void;
  /** The origin goes on in another protocol. Nothing else follows; {@link OriginConnection.release} gives the bytes. */
  onSwitched(head: HttpResponseHead): void;
  /** The connection is no more. Nothing else follows. */
  onClosed(error: unknown): void;
}

/** The origin closed the connection before its answer was whole. */
class OriginGone extends Error {}

/** Bytes of an answer that are looked for when the rest of a request could not be sent. */
const mostUnread = 1_048_576;

/**
 * A connection to an origin, in HTTP/1.1. It is watched all the time: one that ends, breaks or says something while no request is
 * on it is closed at once.
 */
export class OriginConnection {
  readonly #stream: Duplex;
  #reader: HttpResponseReader | undefined;
  #listener: OriginListener | undefined;
  #onGone: (() => void) | undefined;
  #used = false;
  #answerOver = false;
  #reusable = true;
  #closed = false;

  /** @param stream A socket, or a stream of a lane. */
  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#watch();
  }

  /** Whether it has carried a whole answer before. */
  get used(): boolean {
    return this.#used;
  }

  /** Whether it may carry another request. */
  get reusable(): boolean {
    return this.#reusable && !this.#closed && this.#stream.writable && !this.#stream.destroyed;
  }

  /** Begins a request, whose bytes {@link send} takes. */
  ask(options: HttpResponseOptions, listener: OriginListener): void {
    this.#onGone = undefined;
    this.#answerOver = false;
    this.#reader = new HttpResponseReader(options);
    this.#listener = listener;
    this.#stream.resume();
    if (this.#closed) queueMicrotask(() => this.#fail(new OriginGone('the connection is closed')));
  }

  /** Nobody asks for now. @param onGone Called when it can no longer be used. */
  rest(onGone: () => void): void {
    this.#reader = undefined;
    this.#listener = undefined;
    this.#used = true;
    this.#onGone = onGone;
    this.#stream.resume();
  }

  /**
   * Sends bytes of a request.
   *
   * @param onTaken Called when more may be sent; never after a failure.
   */
  send(parts: readonly (string | Uint8Array)[], onTaken: () => void): void {
    const stream = this.#stream;
    if (this.#closed || !stream.writable) return;
    let more = true;
    stream.cork();
    for (const part of parts) {
      const bytes = typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
      more = stream.write(bytes, this.#onWritten);
    }
    stream.uncork();
    if (more) onTaken();
    else stream.once('drain', onTaken);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#closed) this.#stream.resume();
  }

  /** Gives the stream away, with what was read of it and belongs to nobody yet. */
  release(): Duplex {
    const stream = this.#stream;
    const rest = this.#reader?.rest ?? new Uint8Array();
    this.#unwatch();
    stream.pause();
    this.#closed = true;
    this.#listener = undefined;
    stream.on('error', () => stream.destroy());
    if (rest.length > 0) stream.unshift(Buffer.from(rest));
    return stream;
  }

  destroy(): void {
    this.#listener = undefined;
    this.#onGone = undefined;
    this.#closed = true;
    this.#stream.destroy();
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#reader === undefined || this.#answerOver) {
      // Nobody asked: whatever it is, it is no answer to the next request.
      this.#reusable = false;
      if (this.#listener === undefined) this.#drop();
      return;
    }
    this.#tell(this.#reader.push(bytes));
  };

  /** An origin that answers early and closes resets the connection while the rest of the request is being sent. */
  readonly #onWritten = (error?: Error | null): void => {
    if (!error || this.#closed || !(this.#stream instanceof Socket) || this.#stream.readableLength > 0)
      return;
    const unread = takeUnread(this.#stream, mostUnread);
    if (unread.length > 0) this.#onData(unread);
  };

  readonly #onEnd = (): void => {
    this.#reusable = false;
    const broken = this.#stream instanceof Socket ? takeError(this.#stream) : undefined;
    if (broken !== undefined) {
      this.#fail(broken);
      return;
    }
    if (this.#listener === undefined) this.#drop();
    if (this.#listener === undefined || this.#answerOver) return;
    this.#tell(this.#reader?.finish() ?? []);
  };

  readonly #onError = (error: Error): void => this.#fail(error);

  readonly #onClose = (): void => this.#fail(new OriginGone('the origin closed the connection'));

  #watch(): void {
    this.#stream.on('data', this.#onData).once('end', this.#onEnd);
    this.#stream.on('error', this.#onError).once('close', this.#onClose);
  }

  #unwatch(): void {
    this.#stream.off('data', this.#onData).off('end', this.#onEnd);
    this.#stream.off('error', this.#onError).off('close', this.#onClose);
  }

  #tell(events: readonly HttpResponseEvent[]): void {
    for (const event of events) {
      const listener = this.#listener;
      if (listener === undefined) return;
      switch (event.type) {
        case 'information':
          listener.onInformation(event.head);
          break;
        case 'head':
          listener.onHead(event.head, event.length, event.codings);
          break;
        case 'data':
          if (!listener.onData(event.bytes)) this.pause();
          break;
        case 'switched':
          listener.onSwitched(event.head);
          break;
        case 'failure':
          this.#fail(event.error);
          break;
        case 'end':
          this.#answerOver = true;
          if (!event.reusable || (this.#reader?.rest.length ?? 0) > 0) this.#reusable = false;
          this.#stream.resume();
          listener.onEnd(event.trailers);
      }
    }
  }

  #fail(error: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    const listener = this.#listener;
    this.#listener = undefined;
    this.#stream.destroy();
    if (listener === undefined) this.#drop();
    else listener.onClosed(error);
  }

  #drop(): void {
    this.#closed = true;
    this.#stream.destroy();
    const onGone = this.#onGone;
    this.#onGone = undefined;
    onGone?.();
  }
}
