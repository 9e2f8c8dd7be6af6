import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Authority } from '@manypath/core';
import { expect, onTestFinished } from 'vitest';

/** A connection whose bytes are written by hand, and read as text. */
export class RawClient {
  readonly socket: Socket;
  #received = '';
  #ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
    });
    socket.on('error', () => {});
    socket.once('end', () => {
      this.#ended = true;
    });
    onTestFinished(() => void socket.destroy());
  }

  /** Everything that came so far and was not taken by {@link until}. */
  get received(): string {
    return this.#received;
  }

  send(text: string | Uint8Array): void {
    if (typeof text === 'string') this.socket.write(text, 'latin1');
    else this.socket.write(text);
  }

  /** Takes what comes up to the end of `mark`. @throws Error when the connection ends before it. */
  async until(mark: string): Promise<string> {
    while (!this.#received.includes(mark)) {
      if (this.#ended || this.socket.destroyed) {
        throw new Error(`the connection ended before ${JSON.stringify(mark)}: ${this.#received}`);
      }
      await this.#something();
    }
    const end = this.#received.indexOf(mark) + mark.length;
    const text = this.#received.slice(0, end);
    this.#received = this.#received.slice(end);
    return text;
  }

  /** Everything until the connection ends or breaks. */
  async all(): Promise<string> {
    while (!this.#ended && !this.socket.destroyed) await this.#something();
    return this.#received;
  }

  #something(): Promise<void> {
    const names = ['data', 'end', 'close'];
    return new Promise(resolve => {
      const happened = () => {
        for (const name of names) this.socket.off(name, happened);
        resolve();
      };
      for (const name of names) this.socket.on(name, happened);
    });
  }
}

/** @param allowHalfOpen Whether the client keeps its side open when the proxy has ended the other. */
export async function rawClient(
  { host, port }: Authority,
  { allowHalfOpen = false } = {},
): Promise<RawClient> {
  const socket = connect({ host, port, allowHalfOpen, noDelay: true });
  await once(socket, 'connect');
  return new RawClient(socket);
}

/** Sends bytes, and gets all that comes back until the connection ends. */
export async function answerTo(proxy: Authority, text: string): Promise<string> {
  const client = await rawClient(proxy);
  client.send(text);
  return client.all();
}

/** The status code of an answer in text. */
export function statusIn(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

export interface CurlResult {
  /** Of curl; 0 when the transfer was whole. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs curl by a proxy, without any configuration of the machine's. */
export function curl(proxy: Authority, ...args: string[]): Promise<CurlResult> {
  const common = [
    '-q',
    '-sS',
    '--max-time',
    '40',
    '--noproxy',
    '',
    '-x',
    `http://${proxy.host}:${proxy.port}`,
  ];
  return new Promise(resolve => {
    const options = {
      env: { PATH: process.env.PATH ?? '' },
      maxBuffer: 1 << 28,
      encoding: 'latin1' as const,
    };
    execFile('curl', [...common, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

/** Expects something of a value that is still on its way there. */
export function eventually<T>(value: () => T) {
  return expect.poll(value, { timeout: 10_000, interval: 10 });
}
