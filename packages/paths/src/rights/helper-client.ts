import { connect, type Socket } from 'node:net';
import { encodeJsonLine, JsonLineDecoder } from '@manypath/core';
import { HelperGoneError, HelperRefusedError } from './errors.ts';
import { helperVersion } from './verbs.ts';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** How long the helper has to answer, in milliseconds. */
const answerMs = 3000;

/** A conversation with the privileged helper. It ends with the connection, and so does what the helper set up for it. */
export class HelperClient {
  readonly #socket: Socket;
  readonly #path: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #decoder = new JsonLineDecoder();
  #nextId = 1;

  /**
   * @throws HelperGoneError `MANYPATH_HELPER_GONE`
   * @throws HelperRefusedError `MANYPATH_HELPER_REFUSED`, this user is not served, or it is another version
   */
  static async connect(path: string): Promise<HelperClient> {
    const socket = connect(path);
    const client = new HelperClient(socket, path);
    try {
      await client.ask({ verb: 'hello', version: helperVersion });
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private constructor(socket: Socket, path: string) {
    this.#socket = socket;
    this.#path = path;
    socket.on('data', bytes => {
      try {
        for (const message of this.#decoder.push(bytes)) this.#receive(message);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.on('error', error => this.#end(error));
    socket.once('close', () => this.#end());
  }

  /** Has the helper do something. Rejects with what it says. */
  ask(request: object): Promise<void> {
    if (this.#socket.destroyed) return Promise.reject(new HelperGoneError(this.#path));
    const id = this.#nextId++;
    return new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => this.#socket.destroy(), answerMs);
      this.#waiting.set(id, {
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
        reject: error => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#socket.write(encodeJsonLine({ ...request, id }));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(message: unknown): void {
    const { id, ok, message: text } = message as { id?: unknown; ok?: unknown; message?: unknown };
    const error = new HelperRefusedError(String(text));
    if (typeof id !== 'number') {
      this.#end(error);
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (ok === true) waiting?.resolve();
    else waiting?.reject(error);
  }

  #end(cause?: unknown): void {
    const error = cause instanceof HelperRefusedError ? cause : new HelperGoneError(this.#path, cause);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
