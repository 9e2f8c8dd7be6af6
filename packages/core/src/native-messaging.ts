import { ByteWriter } from './byte-cursor.ts';
import { encodeText } from './bytes.ts';
import { ManypathError } from './errors.ts';

/** What native messages may be at most. */
export const nativeMessagingLimits = {
  /** Bytes of JSON to the browser: Chromium hangs up when there is one more. */
  toBrowserBytes: 1_048_576,
  /** Bytes of JSON from the browser. Chromium would send nearly 64 MiB; nothing that is asked here is near this. */
  fromBrowserBytes: 262_144,
} as const;

/** What is in a native message is no JSON, or not what it should be. The next message can be read all the same. */
export class NativeMessageInvalidError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super(
      'MANYPATH_NATIVE_MESSAGE_INVALID',
      `a native message cannot be read: ${reason}`,
      cause === undefined ? {} : { cause },
    );
  }
}

/** A native message is longer than its reader takes. */
export class NativeMessageTooLongError extends ManypathError {
  constructor(bytes: number, most: number) {
    super(
      'MANYPATH_NATIVE_MESSAGE_TOO_LONG',
      `a native message has ${bytes} bytes, and ${most} is the most that can be`,
    );
  }
}

/** How native messages are written. */
export interface NativeMessagingOptions {
  /** Bytes of the JSON text of a message at most. */
  readonly longest?: number;
  /** Order of the bytes of a message's length: that of the machine. Default `little`. */
  readonly byteOrder?: 'little' | 'big';
}

/** A message that was read, or why it could not be. */
export type NativeMessage =
  | { readonly value: unknown }
  | { readonly error: NativeMessageInvalidError | NativeMessageTooLongError };

const lengthBytes = 4;

/**
 * Splits a stream of bytes into the messages of Chromium's native messaging: a length of 32 bits in the machine's byte
 * order, then as many bytes of JSON in UTF-8. Bytes in pieces of any size, messages out.
 *
 * A message that is no JSON or too long is told as such and the next one is read; the bytes of one that is too long are
 * not kept.
 */
export class NativeMessageDecoder {
  readonly #longest: number;
  readonly #littleEndian: boolean;
  readonly #head = new ByteWriter(lengthBytes);
  readonly #body = new ByteWriter();
  /** Bytes of the message that is being read; `undefined` while its length is. */
  #length: number | undefined;
  /** Bytes of it that have not come yet. */
  #missing = 0;

  /** The default of `longest` is {@link nativeMessagingLimits.fromBrowserBytes}. */
  constructor({
    longest = nativeMessagingLimits.fromBrowserBytes,
    byteOrder = 'little',
  }: NativeMessagingOptions = {}) {
    this.#longest = longest;
    this.#littleEndian = byteOrder === 'little';
  }

  /** Whether the stream may end here: between two messages. */
  get complete(): boolean {
    return this.#length === undefined && this.#head.length === 0;
  }

  push(bytes: Uint8Array): NativeMessage[] {
    const messages: NativeMessage[] = [];
    let rest = bytes;
    while (rest.length > 0) {
      rest = this.#length === undefined ? this.#readLength(rest) : this.#readBody(rest, this.#length);
      if (this.#length !== undefined && this.#missing === 0) messages.push(this.#finish(this.#length));
    }
    return messages;
  }

  #readLength(bytes: Uint8Array): Uint8Array {
    const wanted = lengthBytes - this.#head.length;
    this.#head.bytes(bytes.subarray(0, wanted));
    if (this.#head.length === lengthBytes) {
      const head = this.#head.peek();
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0, this.#littleEndian);
      this.#head.clear();
      this.#length = length;
      this.#missing = length;
    }
    return bytes.subarray(wanted);
  }

  #readBody(bytes: Uint8Array, length: number): Uint8Array {
    const piece = bytes.subarray(0, this.#missing);
    if (length <= this.#longest) this.#body.bytes(piece);
    this.#missing -= piece.length;
    return bytes.subarray(piece.length);
  }

  #finish(length: number): NativeMessage {
    this.#length = undefined;
    if (length > this.#longest) return { error: new NativeMessageTooLongError(length, this.#longest) };
    const message = parse(this.#body.peek());
    this.#body.clear();
    return message;
  }
}

/**
 * Writes a value as a native message.
 *
 * @param options The default of `longest` is {@link nativeMessagingLimits.toBrowserBytes}.
 * @throws NativeMessageTooLongError `MANYPATH_NATIVE_MESSAGE_TOO_LONG`
 */
export function encodeNativeMessage(
  value: unknown,
  { longest = nativeMessagingLimits.toBrowserBytes, byteOrder = 'little' }: NativeMessagingOptions = {},
): Uint8Array<ArrayBuffer> {
  const body = encodeText(JSON.stringify(value) ?? 'null');
  if (body.length > longest) throw new NativeMessageTooLongError(body.length, longest);
  const message = new Uint8Array(lengthBytes + body.length);
  new DataView(message.buffer).setUint32(0, body.length, byteOrder === 'little');
  message.set(body, lengthBytes);
  return message;
}

function parse(body: Uint8Array): NativeMessage {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch (error) {
    return { error: new NativeMessageInvalidError('it is not UTF-8', error) };
  }
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { error: new NativeMessageInvalidError('it is not JSON', error) };
  }
}
