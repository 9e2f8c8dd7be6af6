import { once } from 'node:events';
import { lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type ControlMethod, encodeJsonLine, errorCode, errorMessage, JsonLineDecoder } from '@manypath/core';
import { ControlRequestError, ControlSocketError, GatewayRunningError } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import { controlSocketPath, type SocketPath, socketName } from './socket-path.ts';

/** What the control socket can be asked: a method gets the `params` of the request, and gives the result or a promise of it. */
export interface ControlMethods {
  readonly answers: Readonly<Record<Exclude<ControlMethod, 'subscribe'>, (params: unknown) => unknown>>;
  /** Sends every event to `listener` until the returned function is called. */
  subscribe(listener: (event: object) => void): () => void;
}

/**
 * The control socket of a gateway: a unix socket that only its user can open. It speaks JSON, one message a line:
 * `{id, method, params?}` is answered by `{id, result}` or `{id, error: {code, message}}`; after `subscribe` lines with an
 * `event` come too.
 */
export class ControlServer {
  readonly #server: Server;
  readonly #path: SocketPath;
  /** Where clients look for it. */
  readonly #place: string;
  /** Names the file that was made. */
  readonly #file: string | undefined;
  readonly #methods: ControlMethods;
  readonly #limits: GatewayLimits;
  readonly #clients = new Set<Socket>();

  /**
   * Listens in the state folder, which is made if it is missing. What a killed gateway left is replaced.
   *
   * @throws GatewayRunningError `MANYPATH_GATEWAY_RUNNING`
   * @throws ControlSocketError `MANYPATH_CONTROL_SOCKET`
   */
  static async open(
    stateDir: string,
    methods: ControlMethods,
    limits: GatewayLimits,
  ): Promise<ControlServer> {
    try {
      mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new ControlSocketError(errorMessage(error), error);
    }
    const path = controlSocketPath(stateDir);
    try {
      const server = await listenAlone(path.path, stateDir);
      return new ControlServer(server, path, join(stateDir, socketName), methods, limits);
    } catch (error) {
      path.release();
      throw error;
    }
  }

  /** Whether a gateway with this state folder runs, in this process or another one. */
  static async isRunning(stateDir: string): Promise<boolean> {
    let path: SocketPath;
    try {
      path = controlSocketPath(stateDir);
    } catch {
      return false;
    }
    try {
      return await isAlive(path.path);
    } finally {
      path.release();
    }
  }

  private constructor(
    server: Server,
    path: SocketPath,
    place: string,
    methods: ControlMethods,
    limits: GatewayLimits,
  ) {
    this.#server = server;
    this.#path = path;
    this.#place = place;
    this.#file = fileAt(place);
    this.#methods = methods;
    this.#limits = limits;
    server.on('connection', socket => this.#serve(socket));
  }

  /** Whether clients still find it: not when its file or folder was removed, or another one stands there. */
  isReachable(): boolean {
    return this.#file !== undefined && this.#file === fileAt(this.#place);
  }

  /** Stops listening, removes the socket and lets go of its clients. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const client of this.#clients) client.destroy();
    await closed;
    this.#path.release();
  }

  #serve(socket: Socket): void {
    if (this.#clients.size >= this.#limits.controlClients) return void socket.destroy();
    this.#clients.add(socket);
    const decoder = new JsonLineDecoder(this.#limits.controlRequestBytes);
    const subscriptions: (() => void)[] = [];
    socket.on('error', () => {});
    socket.once('close', () => {
      this.#clients.delete(socket);
      for (const end of subscriptions) end();
    });
    socket.on('data', bytes => {
      try {
        for (const request of decoder.push(bytes)) void this.#answer(socket, request, subscriptions);
      } catch (error) {
        socket.end(encodeJsonLine({ id: null, error: errorObject(error) }));
      }
    });
  }

  async #answer(socket: Socket, request: unknown, subscriptions: (() => void)[]): Promise<void> {
    const id = idOf(request);
    try {
      const result = this.#call(socket, request, subscriptions);
      // What is there is answered at once, so that answers keep the order of their requests.
      const settled = result instanceof Promise ? await result : result;
      socket.write(encodeJsonLine({ id, result: settled ?? null }));
    } catch (error) {
      socket.write(encodeJsonLine({ id, error: errorObject(error) }));
    }
  }

  #call(socket: Socket, request: unknown, subscriptions: (() => void)[]): unknown {
    const method = fieldOf(request, 'method');
    if (method === 'subscribe') {
      subscriptions.push(this.#methods.subscribe(event => this.#tell(socket, event)));
      return undefined;
    }
    const { answers } = this.#methods;
    if (typeof method === 'string' && Object.hasOwn(answers, method)) {
      return answers[method as keyof typeof answers](fieldOf(request, 'params'));
    }
    throw new ControlRequestError(`there is no method ${JSON.stringify(method)?.slice(0, 60)}`);
  }

  /** A subscriber that does not read must not fill this process's memory. */
  #tell(socket: Socket, event: object): void {
    if (socket.writableLength > this.#limits.controlUnreadBytes) socket.destroy();
    else socket.write(encodeJsonLine(event));
  }
}

/** How often a stale socket is removed: more than once only if others start at the same moment. */
const attempts = 5;

async function listenAlone(path: string, stateDir: string): Promise<Server> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const server = createServer();
    try {
      await listen(server, path);
      return server;
    } catch (error) {
      if (errorCode(error) !== 'EADDRINUSE') throw new ControlSocketError(errorMessage(error), error);
    }
    if (await isAlive(path)) throw new GatewayRunningError(stateDir);
    try {
      if (!lstatSync(path).isSocket()) throw new Error(`another file is called ${socketName} there`);
      unlinkSync(path);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw new ControlSocketError(errorMessage(error), error);
    }
  }
  throw new GatewayRunningError(stateDir);
}

async function listen(server: Server, path: string): Promise<void> {
  // Node binds within this call, so nobody else in this process is affected; and the socket is 0600 from birth.
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
}

/** Names the file at a place; `undefined` when there is none. */
function fileAt(place: string): string | undefined {
  const stats = statSync(place, { bigint: true, throwIfNoEntry: false });
  return stats && `${stats.dev} ${stats.ino} ${stats.birthtimeNs}`;
}

/** Whether somebody accepts connections there. */
function isAlive(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path);
    const settle = (alive: boolean) => {
      probe.destroy();
      resolve(alive);
    };
    probe.once('connect', () => settle(true));
    // A full backlog or a missing right are signs of life; only these two mean that nobody listens.
    probe.once('error', error =>
      settle(errorCode(error) !== 'ECONNREFUSED' && errorCode(error) !== 'ENOENT'),
    );
  });
}

function idOf(request: unknown): number | null {
  const id = fieldOf(request, 'id');
  return typeof id === 'number' ? id : null;
}

function fieldOf(request: unknown, name: 'id' | 'method' | 'params'): unknown {
  return typeof request === 'object' && request !== null
    ? (request as Record<string, unknown>)[name]
    : undefined;
}

function errorObject(error: unknown): { code: string; message: string } {
  return { code: errorCode(error) ?? 'ERROR', message: errorMessage(error) };
}
