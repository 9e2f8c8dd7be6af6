import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '@manypath/core';

/** What Chromium says to drivers on its standard error: they read it there. */
const forDrivers = /^DevTools listening on (ws:\/\/\S+)/;
/** How Chromium begins a line of its log, with the level and the place in its source. */
const chromiumLine = /^\[[\d:/.]+:(INFO|WARNING|ERROR|FATAL|VERBOSE\d*):([^\]]*)\]/;
/** Says nothing to anybody: about services of a desktop that are not there, and about what Google's servers answered. */
const noise = /^(dbus\/|google_apis\/|components\/(viz|sync)\/|gpu\/|ui\/gl\/|sandbox\/)/;

/** Characters of a line that are looked at; and lines that are told of a browser that failed. */
const longestLine = 4096;
const mostLastWords = 8;
/** How long what a browser said before it ended may take to arrive, in milliseconds. */
const settleMs = 200;

export interface BrowserLogOptions {
  readonly logger: Pick<Logger, 'debug'>;
  /** Everything is passed on to standard error: the user asked the browser for its log. */
  readonly isAskedFor: boolean;
  /** Told of the place where the browser takes orders. */
  readonly onDebugging?: (url: URL) => void;
}

/**
 * Takes what the browser writes to its standard error, which is mostly noise: it goes to our log, for `--log-level debug`. What drivers
 * wait for is passed on, and what may tell why the browser failed is kept for the case that it does.
 */
export class BrowserLog {
  readonly #errors: Readable;
  readonly #options: BrowserLogOptions;
  readonly #decoder = new StringDecoder('utf8');
  readonly #lastWords: string[] = [];
  #rest = '';

  constructor(errors: Readable, options: BrowserLogOptions) {
    this.#errors = errors;
    this.#options = options;
    errors.on('data', (chunk: Buffer) => this.#receive(this.#decoder.write(chunk)));
    errors.on('end', () => this.#receive('\n'));
    errors.on('error', () => {});
  }

  /** Resolved when everything was read, or soon: helpers of the browser may hold on to its standard error. */
  async settled(): Promise<void> {
    if (!this.#errors.readableEnded) await Promise.race([once(this.#errors, 'close'), delay(settleMs)]);
  }

  /** The last lines that were no noise. */
  get lastWords(): readonly string[] {
    return this.#lastWords;
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(0, longestLine);
    for (const line of lines) if (line !== '') this.#onLine(line.slice(0, longestLine));
  }

  #onLine(line: string): void {
    const { logger, isAskedFor, onDebugging } = this.#options;
    const url = forDrivers.exec(line)?.[1];
    if (url !== undefined && URL.canParse(url)) onDebugging?.(new URL(url));
    if (url !== undefined || isAskedFor) process.stderr.write(`${line}\n`);
    else logger.debug({}, `browser: ${line}`);
    if (url === undefined && isTelling(line)) {
      this.#lastWords.push(line);
      if (this.#lastWords.length > mostLastWords) this.#lastWords.shift();
    }
  }
}

function isTelling(line: string): boolean {
  const [, level, place = ''] = chromiumLine.exec(line) ?? [];
  if (level === undefined) return true;
  return (level === 'ERROR' || level === 'FATAL') && !noise.test(place);
}
