import {
  decodeStreamFrame,
  encodeStreamFrame,
  errorMessage,
  frameHeadBytes,
  parseAuthority,
  renumberStreamFrame,
  type StreamFrame,
  type StreamKind,
  type StreamResetReason,
  type StreamWish,
  streamFrameType,
  streamLimits,
} from '@manypath/core';
import { type AccessMessage, burstBytes, mostFrames, type SwitchMessage } from '@manypath/page';
import { isWish, mostWishes } from './wishes.ts';

/** The connection to the gateway that all streams of all pages share. */
export interface GatewayWire {
  /** Bytes that were sent and have not left the browser. */
  readonly waiting: number;
  send(message: Uint8Array<ArrayBuffer>): void;
}

/** A page, as the browser vouches for it. */
export interface PageIdentity {
  readonly origin: string;
}

/** What a page is told: whether it may, whether local hosts are included, and why not. */
export interface Verdict {
  readonly allowed: boolean;
  readonly local: boolean;
  readonly reason: string;
}

export interface StreamSwitchOptions {
  /** Asks the user, or what they said before. */
  readonly authorize: (page: PageIdentity, wishes: readonly StreamWish[]) => Promise<Verdict>;
}

/** Bytes that may wait for the gateway before pages are held back. */
const fullBytes = 4_194_304;
/** Bytes that a page is told of at once: each time wakes it. A quarter of what it may have on the way. */
const acknowledgeBytes = 524_288;
/** How often it is looked whether they have left, in milliseconds. */
const drainMs = 4;
/** Frames for a stream that waits for the user's consent: it can only be ended. */
const mostHeld = 4;

const longestFrame = frameHeadBytes + streamLimits.frameBytes;

type OpenFrame = StreamFrame & { type: 'open' };

interface Stream {
  readonly page: Page;
  /** The number by which the page knows it, and the one by which the gateway does. */
  readonly pageNumber: number;
  readonly number: number;
  readonly kind: StreamKind;
  readonly wish: StreamWish | undefined;
  hasExited: boolean;
  isOutOver: boolean;
  isInOver: boolean;
}

interface Page {
  readonly identity: PageIdentity;
  readonly port: MessagePort;
  readonly streams: Map<number, Stream>;
  /** Streams that wait for consent, with what came for them meanwhile. */
  readonly held: Map<number, Uint8Array<ArrayBuffer>[]>;
  /** Frames that go to it together. */
  frames: ArrayBuffer[];
  frameBytes: number;
  last: number;
  isGone: boolean;
}

/**
 * Joins the streams of all pages into one connection. Frames pass through with another number, so that credit is agreed on
 * between the page and the gateway, and nothing piles up here; only what opens a stream is looked into.
 */
export class StreamSwitch {
  readonly #options: StreamSwitchOptions;
  readonly #pages = new Set<Page>();
  readonly #streams = new Map<number, Stream>();
  #wire: GatewayWire | undefined;
  #last = 0;
  #drain: ReturnType<typeof setTimeout> | undefined;
  readonly #unacknowledged = new Map<Page, number>();
  /** Pages with frames that wait. */
  readonly #behind = new Set<Page>();

  constructor(options: StreamSwitchOptions) {
    this.#options = options;
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** Takes a page in whose origin the browser told. @returns What ends that. */
  add(identity: PageIdentity, port: MessagePort): () => void {
    const page: Page = {
      identity,
      port,
      streams: new Map(),
      held: new Map(),
      frames: [],
      frameBytes: 0,
      last: 0,
      isGone: false,
    };
    this.#pages.add(page);
    port.onmessage = ({ data }: MessageEvent<unknown>) => this.#fromPage(page, data);
    if (this.#wire !== undefined) this.#say(page, { kind: 'ready' });
    return () => this.#remove(page, 'the page went away');
  }

  /** The gateway is reached. */
  connected(wire: GatewayWire): void {
    this.#wire = wire;
    this.#last = 0;
    for (const page of this.#pages) this.#say(page, { kind: 'ready' });
  }

  /** The gateway is not there, or not any more. */
  disconnected(reason: string): void {
    this.#wire = undefined;
    this.#streams.clear();
    this.#unacknowledged.clear();
    for (const page of [...this.#pages]) {
      this.#say(page, { kind: 'away', reason });
      this.#forget(page);
    }
  }

  /** Takes in messages of the gateway that came at once. */
  fromGateway(messages: readonly Uint8Array<ArrayBuffer>[]): void {
    for (const message of messages) this.#toPage(message);
    for (const page of this.#behind) this.#flush(page);
  }

  #toPage(message: Uint8Array<ArrayBuffer>): void {
    const number = renumberStreamFrame(message, 0);
    const stream = this.#streams.get(number);
    if (stream === undefined) return;
    renumberStreamFrame(message, stream.pageNumber);
    this.#noteIn(stream, streamFrameType(message));
    this.#pass(stream.page, message.buffer);
  }

  /** Ends streams that the user has revoked. @param isAllowed Whether one may still be there. */
  recheck(isAllowed: (page: PageIdentity, wish: StreamWish) => boolean): void {
    for (const stream of [...this.#streams.values()]) {
      if (stream.wish === undefined || isAllowed(stream.page.identity, stream.wish)) continue;
      this.#send({ type: 'reset', stream: stream.number, reason: 'denied', message: 'revoked' });
      this.#refuse(stream.page, stream.pageNumber, 'denied', 'the user took the permission back');
      this.#drop(stream);
    }
  }

  #fromPage(page: Page, data: unknown): void {
    if (page.isGone || this.#wire === undefined) return;
    try {
      if (Array.isArray(data)) this.#framesFromPage(page, data);
      else void this.#onAccess(page, data);
    } catch {
      // What is no frame comes from a page that means ill, or is of another version.
      this.#remove(page, 'what the page sends is not understood');
    }
  }

  #framesFromPage(page: Page, frames: readonly unknown[]): void {
    if (frames.length > mostFrames) throw new RangeError('there are too many frames in a message');
    let bytes = 0;
    for (const frame of frames) {
      if (!(frame instanceof ArrayBuffer)) throw new TypeError('a frame is no buffer');
      bytes += frame.byteLength;
      this.#frameFromPage(page, new Uint8Array(frame));
    }
    if (!page.isGone) this.#acknowledge(page, bytes);
  }

  #frameFromPage(page: Page, message: Uint8Array<ArrayBuffer>): void {
    const { length } = message;
    if (length > longestFrame) throw new RangeError('a frame is too long');
    // Data is not looked into, and is checked by the gateway against the credit of its own stream.
    const isData = streamFrameType(message) === 'data' && length > frameHeadBytes;
    const frame = isData ? undefined : decodeStreamFrame(message);
    if (frame?.type === 'open') this.#onOpen(page, frame);
    else this.#passOn(page, message);
  }

  #passOn(page: Page, message: Uint8Array<ArrayBuffer>): void {
    const number = renumberStreamFrame(message, 0);
    const stream = page.streams.get(number);
    if (stream !== undefined) {
      renumberStreamFrame(message, stream.number);
      this.#noteOut(stream, streamFrameType(message));
      this.#wire?.send(message);
      return;
    }
    const held = page.held.get(number);
    if (held === undefined) {
      if (number > page.last) throw new RangeError('a frame is for no stream');
      return;
    }
    if (held.length >= mostHeld) throw new RangeError('a stream that is not open is used');
    held.push(message);
  }

  #onOpen(page: Page, frame: OpenFrame): void {
    if (frame.stream <= page.last) throw new RangeError('a stream is opened twice');
    page.last = frame.stream;
    if (this.#streams.size + page.held.size >= streamLimits.streams) {
      this.#refuse(page, frame.stream, 'tooMany', 'this browser has as many streams as it may');
      return;
    }
    page.held.set(frame.stream, []);
    void this.#admit(page, frame);
  }

  async #admit(page: Page, frame: OpenFrame): Promise<void> {
    const wish = wishOf(frame);
    const verdict = await this.#judge(page, frame, wish);
    const held = page.held.get(frame.stream) ?? [];
    page.held.delete(frame.stream);
    if (page.isGone) return;
    if (!verdict.allowed) {
      this.#refuse(page, frame.stream, 'denied', verdict.reason);
      return;
    }
    const number = ++this.#last;
    const stream: Stream = {
      page,
      pageNumber: frame.stream,
      number,
      kind: frame.kind,
      wish,
      hasExited: false,
      isOutOver: false,
      isInOver: false,
    };
    page.streams.set(frame.stream, stream);
    this.#streams.set(number, stream);
    this.#send({ ...frame, stream: number, local: verdict.local, origin: page.identity.origin });
    for (const message of held) {
      renumberStreamFrame(message, frame.stream);
      this.#passOn(page, message);
    }
  }

  /** A program is looked up by the gateway, which knows which there are. */
  async #judge(page: Page, { kind }: OpenFrame, wish: StreamWish | undefined): Promise<Verdict> {
    if (kind === 'program') return { allowed: true, local: false, reason: '' };
    if (wish === undefined) return { allowed: false, local: false, reason: 'the target is no host and port' };
    return this.#authorize(page, [wish]);
  }

  /** Who cannot be asked has not allowed it. */
  async #authorize(page: Page, wishes: readonly StreamWish[]): Promise<Verdict> {
    try {
      return await this.#options.authorize(page.identity, wishes);
    } catch (error) {
      const reason = `the extension could not find out whether it may: ${errorMessage(error)}`;
      return { allowed: false, local: false, reason };
    }
  }

  async #onAccess(page: Page, data: unknown): Promise<void> {
    if (!isAccess(data)) return this.#remove(page, 'what the page sends is not understood');
    const { allowed, reason } = await this.#authorize(page, data.wishes);
    if (!page.isGone) this.#say(page, { kind: 'access', id: data.id, granted: allowed, reason });
  }

  /** Tells a page that what it sent is out of the way, as soon as the gateway's connection has taken enough of it. */
  #acknowledge(page: Page, bytes: number): void {
    const taken = (this.#unacknowledged.get(page) ?? 0) + bytes;
    this.#unacknowledged.set(page, taken);
    if (taken < acknowledgeBytes) return;
    if ((this.#wire?.waiting ?? 0) > fullBytes) this.#drain ??= setTimeout(() => this.#drained(), drainMs);
    else if (this.#drain === undefined) this.#tell(page, taken);
  }

  #tell(page: Page, taken: number): void {
    this.#unacknowledged.delete(page);
    page.port.postMessage(taken);
  }

  #drained(): void {
    this.#drain = undefined;
    if ((this.#wire?.waiting ?? 0) > fullBytes / 2) {
      this.#drain = setTimeout(() => this.#drained(), drainMs);
      return;
    }
    for (const [page, taken] of this.#unacknowledged) this.#tell(page, taken);
  }

  #send(frame: StreamFrame): void {
    this.#wire?.send(encodeStreamFrame(frame));
  }

  #refuse(page: Page, stream: number, reason: StreamResetReason, message: string): void {
    this.#pass(page, encodeStreamFrame({ type: 'reset', stream, reason, message }).buffer);
    this.#flush(page);
  }

  #pass(page: Page, frame: ArrayBuffer): void {
    page.frames.push(frame);
    page.frameBytes += frame.byteLength;
    this.#behind.add(page);
    if (page.frameBytes >= burstBytes || page.frames.length >= mostFrames) this.#flush(page);
  }

  #flush(page: Page): void {
    this.#behind.delete(page);
    const { frames } = page;
    if (frames.length === 0) return;
    page.frames = [];
    page.frameBytes = 0;
    page.port.postMessage(frames, frames);
  }

  #say(page: Page, message: SwitchMessage): void {
    this.#flush(page);
    page.port.postMessage(message);
  }

  /** Keeps account of when a stream is over, as both sides do: here from what the gateway says. */
  #noteIn(stream: Stream, type: StreamFrame['type'] | undefined): void {
    if (type === 'finish') stream.isInOver = true;
    if (type === 'stop' || type === 'exit') stream.isOutOver = true;
    if (type === 'exit') stream.hasExited = true;
    if (type === 'reset' || isOver(stream)) this.#drop(stream);
  }

  /** The same from what the page says. */
  #noteOut(stream: Stream, type: StreamFrame['type'] | undefined): void {
    if (type === 'finish') stream.isOutOver = true;
    if (type === 'stop') stream.isInOver = true;
    if (type === 'reset' || isOver(stream)) this.#drop(stream);
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream.number);
    stream.page.streams.delete(stream.pageNumber);
  }

  #remove(page: Page, message: string): void {
    if (page.isGone) return;
    for (const stream of [...page.streams.values()]) {
      this.#send({ type: 'reset', stream: stream.number, reason: 'cancelled', message });
      this.#drop(stream);
    }
    this.#forget(page);
  }

  #forget(page: Page): void {
    page.isGone = true;
    page.streams.clear();
    page.port.close();
    this.#pages.delete(page);
    this.#unacknowledged.delete(page);
    this.#behind.delete(page);
  }
}

function isOver({ kind, hasExited, isOutOver, isInOver }: Stream): boolean {
  return isOutOver && isInOver && (kind !== 'program' || hasExited);
}

function wishOf({ kind, target, local }: OpenFrame): StreamWish | undefined {
  if (kind !== 'tcp') return undefined;
  try {
    return { ...parseAuthority(target), ...(local ? { local } : {}) };
  } catch {
    return undefined;
  }
}

function isAccess(data: unknown): data is AccessMessage {
  if (typeof data !== 'object' || data === null) return false;
  const { kind, id, wishes } = data as Record<string, unknown>;
  return (
    kind === 'access' &&
    typeof id === 'number' &&
    Array.isArray(wishes) &&
    wishes.length > 0 &&
    wishes.length <= mostWishes &&
    wishes.every(isWish)
  );
}
