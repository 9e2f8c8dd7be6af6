import { concatBytes } from '../bytes.ts';
import { ManypathError } from '../errors.ts';

/** What came is no WebSocket, or more than is taken. `closeCode` is what to say to the other side (RFC 6455 §7.4.1). */
export class WebSocketProtocolError extends ManypathError {
  readonly closeCode: 1002 | 1007 | 1009;

  constructor(closeCode: 1002 | 1007 | 1009, reason: string) {
    super('MANYPATH_WEBSOCKET_PROTOCOL', `the other side does not speak WebSocket as it should: ${reason}`);
    this.closeCode = closeCode;
  }
}

/** What a {@link WebSocketReader} takes at most. */
export interface WebSocketLimits {
  /** Bytes of one message, over all its frames. */
  readonly messageBytes: number;
  /** Frames of one message. */
  readonly messageFrames: number;
}

export const webSocketLimits: WebSocketLimits = { messageBytes: 16_777_216, messageFrames: 1024 };

/** What comes out of a {@link WebSocketReader}. */
export type WebSocketEvent =
  | { readonly event: 'binary'; readonly bytes: Uint8Array }
  | { readonly event: 'text'; readonly text: string }
  /** To be answered with a pong that carries the same. */
  | { readonly event: 'ping'; readonly bytes: Uint8Array }
  | { readonly event: 'pong'; readonly bytes: Uint8Array }
  /** The other side ends the connection; `code` is 1005 where it gave none (§7.1.5). */
  | { readonly event: 'close'; readonly code: number; readonly reason: string };

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The kinds of frames that can be sent. */
export type WebSocketFrameKind = 'text' | 'binary' | 'close' | 'ping' | 'pong';

/** Bytes of a control frame's payload (§5.5). */
export const longestControlPayload = 125;

/**
 * The head of an unfragmented frame, to be followed by the payload as it is, or masked with `maskingKey` (§5.2).
 *
 * @param maskingKey 4 bytes; clients send one in every frame, servers never (§5.1).
 * @throws RangeError for a control frame with more than 125 bytes, or a key of another length
 */
export function encodeWebSocketHead(
  kind: WebSocketFrameKind,
  payloadBytes: number,
  maskingKey?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (opcodes[kind] >= 8 && payloadBytes > longestControlPayload)
    throw new RangeError(`a ${kind} frame carries at most ${longestControlPayload} bytes`);
  if (maskingKey !== undefined && maskingKey.length !== 4) throw new RangeError('a masking key has 4 bytes');
  const lengthBytes = payloadBytes < 126 ? 0 : payloadBytes < 0x1_0000 ? 2 : 8;
  const head = new Uint8Array(2 + lengthBytes + (maskingKey?.length ?? 0));
  const view = new DataView(head.buffer);
  head[0] = 0x80 | opcodes[kind];
  head[1] = (maskingKey ? 0x80 : 0) | (lengthBytes === 0 ? payloadBytes : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) view.setUint16(2, payloadBytes);
  if (lengthBytes === 8) view.setBigUint64(2, BigInt(payloadBytes));
  if (maskingKey !== undefined) head.set(maskingKey, 2 + lengthBytes);
  return head;
}

/** The payload of a close frame. A reason that is too long is cut, between characters. */
export function encodeCloseReason(code: number, reason = ''): Uint8Array<ArrayBuffer> {
  let text = encoder.encode(reason);
  let end = Math.min(text.length, longestControlPayload - 2);
  while (end < text.length && end > 0 && ((text[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  text = text.slice(0, end);
  const payload = new Uint8Array(2 + text.length);
  new DataView(payload.buffer).setUint16(0, code);
  payload.set(text, 2);
  return payload;
}

/**
 * Masks or unmasks in place (§5.3).
 *
 * @param position Where in the payload `bytes` begins.
 */
export function maskInPlace(bytes: Uint8Array, key: Uint8Array, position = 0): void {
  const turned = Uint8Array.of(...[0, 1, 2, 3].map(index => key[(position + index) & 3] ?? 0));
  const maskFrom = (start: number, end: number) => {
    for (let index = start; index < end; index++)
      bytes[index] = (bytes[index] ?? 0) ^ (turned[index & 3] ?? 0);
  };
  // A word at a time where words have their places: four times as fast.
  const lead = -bytes.byteOffset & 3;
  const wordCount = Math.max(0, bytes.length - lead) >>> 2;
  if (wordCount === 0) {
    maskFrom(0, bytes.length);
    return;
  }
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + lead, wordCount);
  const [word = 0] = new Uint32Array(turned.map((_, index) => turned[(lead + index) & 3] ?? 0).buffer);
  maskFrom(0, lead);
  for (let at = 0; at < wordCount; at++) words[at] = (words[at] ?? 0) ^ word;
  maskFrom(lead + wordCount * 4, bytes.length);
}

interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly length: number;
  readonly maskingKey: Uint8Array | undefined;
}

/**
 * Reads what one side of a WebSocket sends: bytes in, events out, split wherever the network split them (RFC 6455 §5).
 *
 * Payloads of messages are views of the chunks where a message lies in one, which are unmasked in place: a chunk belongs
 * to the reader from then on. With memory of the caller's for payloads, a chunk is the caller's again after `receive`.
 */
export class WebSocketReader {
  readonly #expectsMask: boolean;
  readonly #limits: WebSocketLimits;
  readonly #allocate: ((length: number) => Uint8Array) | undefined;
  readonly #head = new Uint8Array(14);
  #headBytes = 0;
  #frame: Frame | undefined;
  /** The payload of {@link #frame} where it did not come in one chunk, and how much of it has come. */
  #payload: Uint8Array | undefined;
  #filled = 0;
  #message: { readonly isText: boolean; readonly parts: Uint8Array[]; bytes: number } | undefined;
  #isOver = false;

  /**
   * @param side Which side reads: a server takes masked frames only, a client unmasked ones only (§5.1).
   * @param allocate Gives memory of just that length for a payload. Default: new memory, where a chunk does not hold it.
   */
  constructor(
    side: 'server' | 'client',
    limits: Partial<WebSocketLimits> = {},
    allocate?: (length: number) => Uint8Array,
  ) {
    this.#expectsMask = side === 'server';
    this.#limits = { ...webSocketLimits, ...limits };
    this.#allocate = allocate;
  }

  /**
   * Takes in the next bytes. What follows a close frame is dropped (§5.5.1).
   *
   * @throws WebSocketProtocolError `MANYPATH_WEBSOCKET_PROTOCOL`; the connection cannot be used any further
   */
  receive(chunk: Uint8Array): WebSocketEvent[] {
    const events: WebSocketEvent[] = [];
    let offset = 0;
    while (!this.#isOver) {
      if (this.#frame === undefined) {
        offset += this.#takeHead(chunk.subarray(offset));
        if (this.#frame === undefined) break;
      }
      const part = chunk.subarray(offset, offset + this.#frame.length - this.#filled);
      const payload = this.#takePayload(this.#frame, part);
      offset += part.length;
      if (payload === undefined) break;
      const event = this.#onFrame(this.#frame, payload);
      this.#frame = undefined;
      this.#payload = undefined;
      this.#filled = 0;
      if (event !== undefined) events.push(event);
    }
    return events;
  }

  /** @returns How many bytes it took; {@link #frame} is there when the head is whole. */
  #takeHead(bytes: Uint8Array): number {
    let taken = 0;
    for (;;) {
      const missing = headLength(this.#head, this.#headBytes) - this.#headBytes;
      if (missing === 0) break;
      const part = bytes.subarray(taken, taken + missing);
      if (part.length === 0) return taken;
      this.#head.set(part, this.#headBytes);
      this.#headBytes += part.length;
      taken += part.length;
    }
    this.#frame = this.#readHead(this.#head.subarray(0, this.#headBytes));
    this.#headBytes = 0;
    return taken;
  }

  #readHead(head: Uint8Array): Frame {
    const [first = 0, second = 0] = head;
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    const isMasked = (second & 0x80) !== 0;
    const short = second & 0x7f;
    const long = short === 126 ? BigInt(view.getUint16(2)) : short === 127 ? view.getBigUint64(2) : undefined;
    if ((first & 0x70) !== 0)
      throw new WebSocketProtocolError(1002, 'it sets bits that nothing was agreed on for');
    if (!knownOpcodes.has(opcode)) throw new WebSocketProtocolError(1002, `there is no opcode ${opcode}`);
    if (isMasked !== this.#expectsMask)
      throw new WebSocketProtocolError(1002, isMasked ? 'a server does not mask' : 'a client masks');
    if (long !== undefined && long < (short === 126 ? 126n : 0x1_0000n))
      throw new WebSocketProtocolError(1002, 'a length is written longer than it need be');
    if (opcode >= 8 && (!isFinal || short > longestControlPayload))
      throw new WebSocketProtocolError(1002, 'a control frame is whole and short');
    if (long !== undefined && long > BigInt(this.#limits.messageBytes))
      throw new WebSocketProtocolError(1009, `a message has at most ${this.#limits.messageBytes} bytes`);
    const maskingKey = isMasked ? head.slice(-4) : undefined;
    return { opcode, isFinal, length: Number(long ?? short), maskingKey };
  }

  /** @returns The whole payload, unmasked, when all of it is there. */
  #takePayload({ length, maskingKey }: Frame, part: Uint8Array): Uint8Array | undefined {
    const isWhole = this.#filled === 0 && part.length === length;
    if (this.#allocate === undefined && isWhole) {
      if (maskingKey !== undefined) maskInPlace(part, maskingKey);
      return part;
    }
    this.#payload ??= this.#allocate?.(length) ?? new Uint8Array(length);
    this.#payload.set(part, this.#filled);
    const [from, to] = [this.#filled, this.#filled + part.length];
    if (maskingKey !== undefined) maskInPlace(this.#payload.subarray(from, to), maskingKey, from);
    this.#filled = to;
    return this.#filled === length ? this.#payload : undefined;
  }

  #onFrame({ opcode, isFinal }: Frame, payload: Uint8Array): WebSocketEvent | undefined {
    switch (opcode) {
      case opcodes.ping:
        return { event: 'ping', bytes: payload };
      case opcodes.pong:
        return { event: 'pong', bytes: payload };
      case opcodes.close:
        this.#isOver = true;
        return readClose(payload);
      default:
        return this.#onPart(opcode, isFinal, payload);
    }
  }

  #onPart(opcode: number, isFinal: boolean, payload: Uint8Array): WebSocketEvent | undefined {
    if ((opcode === opcodes.continuation) !== (this.#message !== undefined))
      throw new WebSocketProtocolError(1002, 'the frames of a message follow each other');
    this.#message ??= { isText: opcode === opcodes.text, parts: [], bytes: 0 };
    const message = this.#message;
    message.parts.push(payload);
    message.bytes += payload.length;
    if (message.bytes > this.#limits.messageBytes || message.parts.length > this.#limits.messageFrames)
      throw new WebSocketProtocolError(1009, 'a message is too long');
    if (!isFinal) return undefined;
    this.#message = undefined;
    const [only] = message.parts;
    const bytes = message.parts.length === 1 && only !== undefined ? only : concatBytes(message.parts);
    return message.isText ? { event: 'text', text: decodeUtf8(bytes) } : { event: 'binary', bytes };
  }
}

const knownOpcodes: ReadonlySet<number> = new Set(Object.values(opcodes));
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** How long the head is, as far as `known` bytes of it tell. */
function headLength(head: Uint8Array, known: number): number {
  if (known < 2) return 2;
  const second = head[1] ?? 0;
  const short = second & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) === 0 ? 0 : 4);
}

function readClose(payload: Uint8Array): WebSocketEvent {
  if (payload.length === 0) return { event: 'close', code: 1005, reason: '' };
  if (payload.length === 1) throw new WebSocketProtocolError(1002, 'a close code has two bytes');
  const code = new DataView(payload.buffer, payload.byteOffset).getUint16(0);
  if (!maySend(code)) throw new WebSocketProtocolError(1002, `${code} is no close code`);
  return { event: 'close', code, reason: decodeUtf8(payload.subarray(2)) };
}

/** Codes that may stand in a close frame (§7.4). */
function maySend(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code < 5000)
  );
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new WebSocketProtocolError(1007, 'a text is not UTF-8');
  }
}
