import { connect, type Socket } from 'node:net';
import {
  type ControlReply,
  encodeJsonLine,
  errorCode,
  errorMessage,
  JsonLineDecoder,
  type StatusDocument,
} from '@manypath/core';
import { ControlReplyError, ControlSocketError, GatewayNotRunningError } from '../errors.ts';
import { controlSocketPath } from './socket-path.ts';

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/** Talks to a running gateway over its control socket. */
export class ControlClient {
  readonly #stateDir: string;
  readonly #socket: Socket;
  readonly #decoder = new JsonLineDecoder();
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: object) => void>();
  #nextId = 1;
  #ended: unknown;

  /**
   * @param stateDir The state folder of the gateway.
   * @throws GatewayNotRunningError `MANYPATH_GATEWAY_NOT_RUNNING`
   * @throws ControlSocketError `MANYPATH_CONTROL_SOCKET`, it is another user's
   */
  static async connect(stateDir: string, { signal }: { signal?: AbortSignal } = {}): Promise<ControlClient> {
    signal?.throwIfAborted();
    const socket = await open(stateDir, signal);
    return new ControlClient(stateDir, socket);
  }

  private constructor(stateDir: string, socket: Socket) {
    this.#stateDir = stateDir;
    this.#socket = socket;
    socket.on('data', bytes => {
      try {
        for (const message of this.#decoder.push(bytes)) this.#receive(message);
      } catch (error) {
        socket.destroy(error as Error);
      }
    });
    socket.once('error', error => this.#end(error));
    socket.once('close', () => this.#end(new GatewayNotRunningError(stateDir)));
  }

  /** The status document of the gateway. */
  async status({ signal }: { signal?: AbortSignal } = {}): Promise<StatusDocument> {
    return (await this.#ask('status', signal)) as StatusDocument;
  }

  /** Asks the gateway to end; fulfilled when it has agreed. */
  async stop({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#ask('stop', signal);
  }

  /** Calls `listener` with every event from now on: connections that open and close. @returns What ends that. */
  async subscribe(
    listener: (event: object) => void,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<() => void> {
    const first = this.#listeners.size === 0;
    this.#listeners.add(listener);
    if (first) await this.#ask('subscribe', signal);
    return () => void this.#listeners.delete(listener);
  }

  /** Fulfilled when the gateway, or {@link close}, has ended the conversation. */
  closed(): Promise<void> {
    if (this.#socket.closed) return Promise.resolve();
    return new Promise(resolve => this.#socket.once('close', () => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(method: 'status' | 'stop' | 'subscribe', signal: AbortSignal | undefined): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting.delete(id);
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        settle();
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.set(id, {
        resolve(result) {
          settle();
          resolve(result);
        },
        reject(error) {
          settle();
          reject(error);
        },
      });
      this.#socket.write(encodeJsonLine({ id, method }));
    });
  }

  #receive(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    if ('event' in message) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const reply = message as ControlReply;
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    if ('error' in reply) waiting.reject(new ControlReplyError(reply.error.code, reply.error.message));
    else waiting.resolve(reply.result);
  }

  #end(error: unknown): void {
    if (this.#ended !== undefined) return;
    this.#ended = error ?? new GatewayNotRunningError(this.#stateDir);
    for (const { reject } of [...this.#waiting.values()]) reject(this.#ended);
  }
}

function open(stateDir: string, signal: AbortSignal | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let path: ReturnType<typeof controlSocketPath>;
    try {
      path = controlSocketPath(stateDir);
    } catch (error) {
      // A folder that cannot be opened holds no socket that can.
      return reject(new GatewayNotRunningError(stateDir, error));
    }
    const socket = connect(path.path);
    const settle = (): void => {
      path.release();
      socket.off('connect', onConnect).off('error', onError);
      signal?.removeEventListener('abort', onAbort);
    };
    const onConnect = (): void => {
      settle();
      resolve(socket);
    };
    const onError = (error: Error): void => {
      settle();
      const absent = ['ENOENT', 'ECONNREFUSED', 'ENOTDIR'].includes(errorCode(error) ?? '');
      reject(
        absent
          ? new GatewayNotRunningError(stateDir, error)
          : new ControlSocketError(errorMessage(error), error),
      );
    };
    const onAbort = (): void => {
      settle();
      socket.on('error', () => {}).destroy();
      reject(signal?.reason);
    };
    socket.once('connect', onConnect).once('error', onError);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
