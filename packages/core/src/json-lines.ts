import { concatBytes, encodeText } from './bytes.ts';
import { ManypathError } from './errors.ts';
import { coreLimits } from './limits.ts';

/** A line that should hold a JSON value does not. */
export class JsonLineError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super(
      'MANYPATH_JSON_LINE_INVALID',
      `a message cannot be read: ${reason}`,
      cause === undefined ? {} : { cause },
    );
  }
}

const lineFeed = 10;

/** Splits a stream of bytes into JSON values, one a line. Bytes in pieces of any size, values out. */
export class JsonLineDecoder {
  readonly #longest: number;
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  constructor(longestLine: number = coreLimits.jsonLineBytes) {
    this.#longest = longestLine;
  }

  /** @throws JsonLineError `MANYPATH_JSON_LINE_INVALID` */
  push(bytes: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let start = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, start)) {
      this.#keep(bytes.subarray(start, end));
      start = end + 1;
      const line = this.#take();
      if (line.length > 0) values.push(parse(line));
    }
    this.#keep(bytes.slice(start));
    return values;
  }

  #keep(piece: Uint8Array): void {
    this.#length += piece.length;
    if (this.#length > this.#longest) throw new JsonLineError(`it is longer than ${this.#longest} bytes`);
    if (piece.length > 0) this.#pieces.push(piece);
  }

  #take(): Uint8Array {
    const line = concatBytes(this.#pieces);
    this.#pieces.length = 0;
    this.#length = 0;
    return line;
  }
}

/** Writes a value as a line. */
export function encodeJsonLine(value: unknown): Uint8Array {
  return encodeText(`${JSON.stringify(value)}\n`);
}

function parse(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch (error) {
    throw new JsonLineError('it is not JSON', error);
  }
}
