import { connect, type Socket } from 'node:net';
import { type Clock, encodeJsonLine, JsonLineDecoder, type Timer } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import { HelperGoneError, HelperRefusedError } from './errors.ts';
import { helperVersion } from './verbs.ts';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  readonly timer: Timer;
}

/** One connection to the privileged helper. What the helper set up for it goes with it. */
export class HelperConversation {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #decoder = new JsonLineDecoder();
  #nextId = 1;
  #ended = false;
  #onEnd: () => void = () => {};

  /**
   * @throws HelperGoneError `MANYPATH_HELPER_GONE`
   * @throws HelperRefusedError `MANYPATH_HELPER_REFUSED`, this user is not served, or it is another version
   */
  static async open(path: string, clock: Clock): Promise<HelperConversation> {
    const conversation = new HelperConversation(path, clock);
    try {
      await conversation.ask({ verb: 'hello', version: helperVersion });
      return conversation;
    } catch (error) {
      conversation.close();
      throw error;
    }
  }

  private constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#socket = connect(path);
    this.#socket.on('data', bytes => {
      try {
        for (const message of this.#decoder.push(bytes)) this.#receive(message);
      } catch (error) {
        this.#end(error);
      }
    });
    this.#socket.on('error', error => this.#end(error));
    this.#socket.once('close', () => this.#end());
  }

  /** Calls `listener` once when it ends, unless it was closed from here; at once when it has. */
  onEnd(listener: () => void): void {
    if (this.#ended) listener();
    else this.#onEnd = listener;
  }

  /** Has the helper do something. Rejects with what it says. */
  ask(request: object): Promise<void> {
    if (this.#ended) return Promise.reject(new HelperGoneError(this.#path));
    const id = this.#nextId++;
    return new Promise<void>((resolve, reject) => {
      const timer = this.#clock.after(pathsLimits.helperAnswerMs, () => this.#end());
      this.#waiting.set(id, { resolve, reject, timer });
      this.#socket.write(encodeJsonLine({ ...request, id }));
    });
  }

  close(): void {
    this.#onEnd = () => {};
    this.#end();
  }

  #receive(message: unknown): void {
    const { id, ok, message: text } = message as { id?: unknown; ok?: unknown; message?: unknown };
    const refused = new HelperRefusedError(String(text));
    if (typeof id !== 'number') {
      this.#end(refused);
      return;
    }
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.timer.cancel();
    if (ok === true) waiting.resolve();
    else waiting.reject(refused);
  }

  #end(cause?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    const error = cause instanceof HelperRefusedError ? cause : new HelperGoneError(this.#path, cause);
    for (const { reject, timer } of this.#waiting.values()) {
      timer.cancel();
      reject(error);
    }
    this.#waiting.clear();
    this.#onEnd();
  }
}
