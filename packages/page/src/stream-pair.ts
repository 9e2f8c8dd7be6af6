import type { StreamKind } from '@manypath/core';
import { networkError } from './errors.ts';
import type { PortConnection, StreamHandlers } from './port-connection.ts';

/** How a stream was opened. */
export interface StreamOpening {
  /** `host:port` of both ends at the gateway. */
  readonly local: string;
  readonly remote: string;
}

/** What is told of a stream while it is open. */
export interface StreamInfo {
  /** How it leaves the gateway: straight with Multipath TCP, through the relay, or plain TCP; `null` for a program. */
  readonly route: 'mptcp' | 'relay' | 'tcp' | null;
  /** Whether several paths can carry it now. */
  readonly multipath: boolean;
  /** Why it can or not, in words. */
  readonly reason: string;
  readonly subflows: readonly {
    readonly local: string;
    readonly remote: string;
    readonly rttMs: number;
    readonly bytesIn: number;
    readonly bytesOut: number;
  }[];
  /** Of the stream, at the gateway. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface Deferred<Value> {
  readonly promise: Promise<Value>;
  resolve(value: Value): void;
  reject(error: unknown): void;
}

/** One stream as a pair of WHATWG streams, with back-pressure in both directions. */
export class StreamPair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<BufferSource>;
  readonly #connection: PortConnection;
  readonly #stream: number;
  readonly #opened = deferred<StreamOpening>();
  /** Fulfilled when both directions have ended in order; of a program, when it has ended, with how. */
  readonly #closed = deferred<string>();
  readonly #isProgram: boolean;
  readonly #arrived: Uint8Array[] = [];
  readonly #infos: Deferred<StreamInfo>[] = [];
  #reader: ReadableByteStreamController | undefined;
  #writer: WritableStreamDefaultController | undefined;
  #wanted: (() => void) | undefined;
  #sent: (() => void) | undefined;
  #hasExited = false;
  #isReadOver = false;
  #isWriteOver = false;
  #finishArrived = false;
  #failure: DOMException | undefined;

  constructor(connection: PortConnection, kind: StreamKind, target: string, local: boolean) {
    this.#connection = connection;
    this.#isProgram = kind === 'program';
    this.#stream = connection.open(kind, target, local, this.#handlers());
    // Who waits for one of them only must not be bothered by the other.
    this.#opened.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
    this.readable = this.#makeReadable();
    this.writable = this.#makeWritable();
  }

  get opened(): Promise<StreamOpening> {
    return this.#opened.promise;
  }

  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  /** Asks the gateway how the stream is. */
  info(): Promise<StreamInfo> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const answer = deferred<StreamInfo>();
    this.#infos.push(answer);
    this.#connection.askInfo(this.#stream);
    return answer.promise;
  }

  /** Breaks it off: the far end sees that. */
  abort(reason: unknown): void {
    if (this.#isOver()) return;
    this.#connection.reset(this.#stream, String(reason ?? ''));
    this.#connection.forget(this.#stream);
    this.#fail(reason instanceof DOMException ? reason : networkError('it was broken off here'));
  }

  /** Ends it: what was written is delivered, what still comes is dropped. */
  async end(): Promise<void> {
    await Promise.all([
      this.#isWriteOver ? undefined : this.writable.close(),
      this.#isReadOver ? undefined : this.readable.cancel(),
    ]);
  }

  #handlers(): StreamHandlers {
    return {
      onOpened: (local, remote) => this.#opened.resolve({ local, remote }),
      onData: bytes => {
        this.#arrived.push(bytes);
        this.#wake();
      },
      onSent: () => this.#sent?.(),
      onFinish: () => {
        this.#finishArrived = true;
        this.#wake();
        // Nobody may be reading; a stream that has nothing left to read is over all the same.
        if (this.#arrived.length === 0) this.#endReading();
      },
      onStop: () => this.#endWriting('the far end reads nothing more'),
      onExit: outcome => {
        this.#hasExited = true;
        this.#closed.resolve(outcome);
        this.#endWriting('the program has ended');
      },
      onBroken: error => this.#fail(error),
      onInfo: text => this.#infos.shift()?.resolve(JSON.parse(text) as StreamInfo),
    };
  }

  #makeReadable(): ReadableStream<Uint8Array> {
    return new ReadableStream(
      {
        type: 'bytes',
        start: controller => {
          this.#reader = controller;
        },
        pull: async controller => {
          while (this.#arrived.length === 0 && !this.#isReadOver) {
            await new Promise<void>(resolve => {
              this.#wanted = resolve;
            });
          }
          if (!this.#isReadOver) this.#deliver(controller);
        },
        cancel: () => {
          this.#isReadOver = true;
          this.#arrived.length = 0;
          this.#connection.stop(this.#stream);
          this.#settle();
        },
      },
      { highWaterMark: 0 },
    ) as ReadableStream<Uint8Array>;
  }

  /** Hands out what has arrived, to a buffer of the reader where there is one. */
  #deliver(controller: ReadableByteStreamController): void {
    const chunk = this.#arrived.shift();
    if (chunk === undefined) return;
    const request = controller.byobRequest;
    const { view } = request ?? {};
    let taken = chunk.length;
    if (request && view) {
      taken = Math.min(view.byteLength, chunk.length);
      new Uint8Array(view.buffer, view.byteOffset, taken).set(chunk.subarray(0, taken));
      if (taken < chunk.length) this.#arrived.unshift(chunk.subarray(taken));
      request.respond(taken);
    } else {
      controller.enqueue(chunk as Uint8Array<ArrayBuffer>);
    }
    this.#connection.consumed(this.#stream, taken);
    if (this.#finishArrived && this.#arrived.length === 0) this.#endReading();
  }

  /** The far end takes nothing more. */
  #endWriting(reason: string): void {
    if (!this.#isWriteOver) this.#writer?.error(networkError(reason));
    this.#isWriteOver = true;
    this.#sent?.();
    this.#settle();
  }

  #endReading(): void {
    if (this.#isReadOver) return;
    this.#isReadOver = true;
    const pending = this.#reader?.byobRequest;
    this.#reader?.close();
    pending?.respond(0);
    this.#wake();
    this.#settle();
  }

  #makeWritable(): WritableStream<BufferSource> {
    return new WritableStream<BufferSource>(
      {
        start: controller => {
          this.#writer = controller;
        },
        write: chunk => this.#write(chunk),
        close: async () => {
          this.#connection.finish(this.#stream);
          await this.#allSent();
          this.#isWriteOver = true;
          this.#settle();
        },
        abort: reason => {
          if (!this.#isWriteOver) this.abort(reason);
        },
      },
      { highWaterMark: 1 },
    );
  }

  /** Resolved when more may be written; the data has been copied. */
  async #write(chunk: BufferSource): Promise<void> {
    const bytes = bytesOf(chunk);
    if (bytes.length > 0 && !this.#connection.write(this.#stream, bytes)) await this.#allSent();
  }

  async #allSent(): Promise<void> {
    while (this.#failure === undefined && !this.#isWriteOver && !this.#connection.hasSent(this.#stream)) {
      await new Promise<void>(resolve => {
        this.#sent = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #wake(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  #isOver(): boolean {
    const isEnded = this.#isReadOver && this.#isWriteOver && (!this.#isProgram || this.#hasExited);
    return this.#failure !== undefined || isEnded;
  }

  #settle(): void {
    if (!this.#isOver() || this.#failure !== undefined) return;
    this.#connection.forget(this.#stream);
    this.#closed.resolve('');
    for (const { reject } of this.#infos.splice(0)) reject(networkError('the stream is closed'));
  }

  #fail(error: DOMException): void {
    if (this.#isOver()) return;
    this.#failure = error;
    this.#arrived.length = 0;
    if (!this.#isReadOver) this.#reader?.error(error);
    if (!this.#isWriteOver) this.#writer?.error(error);
    this.#isReadOver = true;
    this.#isWriteOver = true;
    this.#wake();
    this.#sent?.();
    this.#opened.reject(error);
    this.#closed.reject(error);
    for (const { reject } of this.#infos.splice(0)) reject(error);
  }
}

function bytesOf(chunk: BufferSource): Uint8Array {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  throw new TypeError('a stream takes buffers and views of them');
}

function deferred<Value>(): Deferred<Value> {
  let settle: Omit<Deferred<Value>, 'promise'> | undefined;
  const promise = new Promise<Value>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, resolve: value => settle?.resolve(value), reject: error => settle?.reject(error) };
}
