import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeJsonLine, encodeNativeMessage, JsonLineDecoder, NativeMessageDecoder } from '@manypath/core';
import { afterEach } from 'vitest';

type Undo = () => void | Promise<void>;
const undos: Undo[] = [];

/** Has `undo` called after the test that runs now, the last first. */
export function afterThisTest(undo: Undo): void {
  undos.push(undo);
}

afterEach(async () => {
  for (const undo of undos.splice(0).reverse()) await undo();
});

/** An empty folder for the test that runs now. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-host-'));
  afterThisTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const program = fileURLToPath(new URL('../../dist/native-host/main.js', import.meta.url));

/** The browser's side of a native messaging host: its process, and the messages that came. */
export class StartedHost {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  readonly #decoder = new NativeMessageDecoder({ longest: 1_048_576 });
  readonly #messages: unknown[] = [];
  #wake: () => void = () => {};

  /** @param command What to run instead of the built host. */
  constructor(stateDir: string | undefined, command: readonly string[] = [process.execPath, program]) {
    const [file = '', ...parameters] = command;
    const env = { ...process.env, ...(stateDir === undefined ? {} : { MANYPATH_STATE: stateDir }) };
    this.child = spawn(file, [...parameters, 'chrome-extension://x/'], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.exit = once(this.child, 'exit').then(([code]) => code as number | null);
    this.child.stdin?.on('error', () => {});
    this.child.stdout?.on('data', (bytes: Uint8Array) => {
      for (const message of this.#decoder.push(bytes)) {
        this.#messages.push('value' in message ? message.value : message.error);
      }
      this.#wake();
    });
    afterThisTest(async () => {
      this.child.kill('SIGKILL');
      await this.exit;
    });
  }

  send(value: unknown): void {
    this.write(encodeNativeMessage(value));
  }

  write(bytes: Uint8Array): void {
    this.child.stdin?.write(bytes);
  }

  /** The next message; fails when the host ends first. */
  async next(): Promise<unknown> {
    while (this.#messages.length === 0) {
      const woken = new Promise<void>(resolve => {
        this.#wake = resolve;
      });
      const ended = this.exit.then(code => Promise.reject(new Error(`the host ended with ${code}`)));
      await Promise.race([woken, ended]);
    }
    return this.#messages.shift();
  }
}

/** What a stand-in for a gateway does with a request. */
export type Answer = (request: { id: number; method: string; params?: unknown }, socket: Socket) => unknown;

/** Listens on the control socket of a state folder; what `answer` returns is sent. For what no gateway does on demand. */
export async function standInGateway(stateDir: string, answer: Answer): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket);
    const decoder = new JsonLineDecoder();
    socket.on('error', () => {});
    socket.on('data', bytes => {
      for (const request of decoder.push(bytes)) {
        const reply = answer(request as Parameters<Answer>[0], socket);
        if (reply !== undefined) socket.write(encodeJsonLine(reply));
      }
    });
  });
  server.listen(join(stateDir, 'control.sock'));
  await once(server, 'listening');
  let closed: Promise<unknown> | undefined;
  const close = async (): Promise<void> => {
    if (closed === undefined) {
      closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
    }
    await closed;
  };
  afterThisTest(close);
  return { close };
}
