import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import { childEnvironment, childProgram } from './child-program.ts';
import { DebuggingPortError } from './errors.ts';
import type { QuietNamespace } from './quiet-namespace.ts';

/** A connection that the door is to make, and what it answers; with the socket when it was made. */
export interface DoorOrder {
  readonly id: number;
  readonly port: number;
  /** How long the browser may take to listen there, in milliseconds. */
  readonly waitMs: number;
}
export interface DoorAnswer {
  readonly id: number;
  readonly error?: string;
}

/** What a {@link DebuggingPort} needs. */
export interface DebuggingPortOptions {
  readonly namespace: QuietNamespace;
  /** The port that was asked for; 0: any. */
  readonly port: number;
  /** The loopback address that was asked for besides 127.0.0.1. */
  readonly address?: string | undefined;
  /** Whether a connection comes from the user whose browser it is. */
  readonly admits: (accepted: Socket) => boolean;
  /** Connections at once; further ones are refused. */
  readonly mostConnections: number;
  /** How long a connection waits for a browser that does not listen yet, in milliseconds. */
  readonly waitMs: number;
}

const usual = '127.0.0.1';

/**
 * The port on which the browser takes orders (`--remote-debugging-port`), reachable from this machine's own network although it is
 * in the quiet namespace: for the same user only.
 */
export class DebuggingPort {
  /** The same here and in the namespace. */
  readonly port: number;
  readonly #options: DebuggingPortOptions;
  readonly #servers: readonly Server[];
  readonly #door: ChildProcess;
  readonly #waiting = new Map<number, (socket: Socket | undefined) => void>();
  readonly #sockets = new Set<Socket>();
  #last = 0;

  /** @throws DebuggingPortError `MANYPATH_DEBUGGING_PORT_FAILED` */
  static async open(options: DebuggingPortOptions): Promise<DebuggingPort> {
    const { namespace, address = usual } = options;
    const servers: Server[] = [];
    try {
      servers.push(await listenUnlike(options.port, namespace.takenPorts));
      if (address !== usual) servers.push(await listen(address, portOf(servers[0])));
      const [file = '', ...rest] = [...namespace.enter, process.execPath, childProgram('debugging-door.js')];
      const door = spawn(file, rest, {
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
        env: childEnvironment(),
      });
      await once(door, 'spawn');
      return new DebuggingPort(options, servers, door);
    } catch (error) {
      for (const server of servers) server.close();
      throw new DebuggingPortError(`${address} port ${options.port}`, error);
    }
  }

  private constructor(options: DebuggingPortOptions, servers: readonly Server[], door: ChildProcess) {
    this.port = portOf(servers[0]);
    this.#options = options;
    this.#servers = servers;
    this.#door = door;
    for (const server of servers) server.on('connection', socket => this.#take(socket));
    door.on('message', ({ id }: DoorAnswer, handle) => {
      const settle = this.#waiting.get(id);
      this.#waiting.delete(id);
      settle?.(handle instanceof Socket ? handle : undefined);
    });
    door.once('exit', () => {
      for (const settle of this.#waiting.values()) settle(undefined);
      this.#waiting.clear();
    });
    door.on('error', () => {});
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    if (this.#door.connected) this.#door.disconnect();
    this.#door.kill('SIGKILL');
  }

  #take(client: Socket): void {
    client.on('error', () => {});
    const { admits, mostConnections, waitMs } = this.#options;
    if (this.#sockets.size >= mostConnections || !admits(client) || !this.#door.connected) {
      client.resetAndDestroy();
      return;
    }
    this.#sockets.add(client);
    client.once('close', () => this.#sockets.delete(client));
    const id = ++this.#last;
    this.#waiting.set(id, browser => this.#join(client, browser));
    this.#door.send({ id, port: this.port, waitMs } satisfies DoorOrder, () => {});
  }

  #join(client: Socket, browser: Socket | undefined): void {
    if (browser === undefined) {
      client.resetAndDestroy();
      return;
    }
    for (const [from, to] of [
      [client, browser],
      [browser, client],
    ] as const) {
      from.on('error', () => {});
      from.once('close', () => to.destroy());
      from.pipe(to);
    }
    if (client.destroyed) browser.destroy();
  }
}

/** Ports of the namespace that are taken there would not do. */
async function listenUnlike(port: number, taken: ReadonlySet<number>): Promise<Server> {
  const server = await listen(usual, port);
  if (port !== 0 || !taken.has(portOf(server))) return server;
  const other = await listenUnlike(0, taken);
  server.close();
  return other;
}

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer({ noDelay: true }).listen({ host, port });
  await once(server, 'listening');
  return server;
}

function portOf(server: Server | undefined): number {
  const address = server?.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
