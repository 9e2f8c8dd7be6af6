import type { ReadStream, WriteStream } from 'node:tty';

const enterScreen = '\x1b[?1049h\x1b[?25l';
const leaveScreen = '\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';
const escapeKey = '\x1b';
const ctrlZ = '\x1a';
/** q, Escape, ctrl-C, ctrl-D. */
const leavingKeys = ['q', 'Q', escapeKey, '\x03', '\x04'];

/** What {@link LiveScreen} needs; both are terminals. */
export interface LiveScreenOptions {
  readonly input: ReadStream | undefined;
  readonly output: WriteStream;
  /** The person wants to leave: q, Escape, ctrl-C or ctrl-D. */
  readonly onLeave: () => void;
  /** The size has changed, or the terminal was used by others meanwhile: draw again. */
  readonly onRedraw: () => void;
}

/**
 * The alternate screen of a terminal, on which something is drawn again and again; what was there before comes back with
 * {@link close}, also when the process ends in another way.
 */
export class LiveScreen {
  readonly #options: LiveScreenOptions;
  #isOpen = false;

  constructor(options: LiveScreenOptions) {
    this.#options = options;
    this.#enter();
    process.on('exit', this.#leave);
    process.on('SIGCONT', this.#enter);
    options.output.on('resize', options.onRedraw);
    options.input?.on('data', this.#onKeys);
  }

  get columns(): number {
    return this.#options.output.columns || 80;
  }

  get rows(): number {
    return this.#options.output.rows || 24;
  }

  /** @param lines No more than {@link rows}, none longer than {@link columns}. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    // Cleared before it is written: after a line as wide as the screen that would take its last letter.
    const text = lines.map(line => `${clearLine}${line}`).join('\r\n');
    this.#options.output.write(`${home}${text}${lines.length < this.rows ? `\r\n${clearBelow}` : ''}`);
  }

  close(): void {
    const { input, output, onRedraw } = this.#options;
    process.off('exit', this.#leave);
    process.off('SIGCONT', this.#enter);
    output.off('resize', onRedraw);
    input?.off('data', this.#onKeys);
    this.#leave();
  }

  readonly #enter = (): void => {
    const { input, output, onRedraw } = this.#options;
    output.write(enterScreen);
    input?.setRawMode(true).resume();
    const isBack = this.#isOpen === false;
    this.#isOpen = true;
    if (isBack) queueMicrotask(onRedraw);
  };

  readonly #leave = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { input, output } = this.#options;
    input?.setRawMode(false).pause();
    output.write(leaveScreen);
  };

  readonly #onKeys = (keys: Buffer): void => {
    const text = keys.toString('latin1');
    // Arrows and function keys come as Escape and letters, which are not meant.
    const letters = text.startsWith(escapeKey) && text !== escapeKey ? [] : [...text];
    if (letters.includes(ctrlZ)) this.#suspend();
    else if (letters.some(letter => leavingKeys.includes(letter))) this.#options.onLeave();
  };

  /** ctrl-Z, which in raw mode is a key like any other. */
  #suspend(): void {
    this.#leave();
    process.kill(process.pid, 'SIGTSTP');
  }
}
