import { ByteWriter } from './byte-cursor.ts';
import { encodeText } from './bytes.ts';
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

/**
 * Splits a stream of bytes into JSON values, one a line. Bytes in pieces of any size, values out. Lines end in LF; CR LF
 * does as well, and empty lines are skipped.
 */
export class JsonLineDecoder {
  readonly #longest: number;
  readonly #line = new ByteWriter();

  /** @param longestLine Bytes of a line, without its end; default {@link coreLimits.jsonLineBytes}. */
  constructor(longestLine: number = coreLimits.jsonLineBytes) {
    this.#longest = longestLine;
  }

  /** @throws JsonLineError `MANYPATH_JSON_LINE_INVALID`. The stream cannot be read any further then. */
  push(bytes: Uint8Array): unknown[] {
    const values: unknown[] = [];
    let start = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, start)) {
      this.#keep(bytes.subarray(start, end));
      start = end + 1;
      const line = this.#take();
      if (line.trim() !== '') values.push(parse(line));
    }
    this.#keep(bytes.subarray(start));
    return values;
  }

  #keep(piece: Uint8Array): void {
    if (this.#line.length + piece.length > this.#longest) {
      throw new JsonLineError(`it is longer than ${this.#longest} bytes`);
    }
    this.#line.bytes(piece);
  }

  #take(): string {
    const line = decode(this.#line.peek());
    this.#line.clear();
    return line;
  }
}

/** Writes a value as a line; JSON has no line feeds of its own. */
export function encodeJsonLine(value: unknown): Uint8Array {
  return encodeText(`${JSON.stringify(value) ?? 'null'}\n`);
}

function decode(line: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(line);
  } catch (error) {
    throw new JsonLineError('it is not UTF-8', error);
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new JsonLineError('it is not JSON', error);
  }
}
