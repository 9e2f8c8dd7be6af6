import { execFile } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { type Authority, formatAuthority } from '@manypath/core';
import { afterThisTest } from './scope.ts';

/** Connects to a port; errors are left to whoever reads. */
export async function dial({ host, port }: Authority): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
  socket.on('error', () => {});
  afterThisTest(() => void socket.destroy());
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}

/** Everything that a socket says until it ends or closes. */
export async function allOf(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  socket.on('data', part => parts.push(part));
  socket.resume();
  if (!socket.readableEnded && !socket.destroyed) {
    await new Promise<void>(resolve => socket.once('end', resolve).once('close', () => resolve()));
  }
  return Buffer.concat(parts);
}

/** What a socket says until `enough` bytes are there. */
export async function someOf(socket: Socket, enough: number): Promise<Buffer> {
  let got = Buffer.alloc(0);
  await new Promise<void>((resolve, reject) => {
    const onData = (part: Buffer) => {
      got = Buffer.concat([got, part]);
      if (got.length < enough) return;
      socket.off('data', onData).off('close', onClose);
      socket.pause();
      resolve();
    };
    const onClose = () => reject(new Error(`closed after ${got.length} bytes: ${got}`));
    socket.on('data', onData).once('close', onClose);
    socket.resume();
  });
  return got;
}

/** Opens a tunnel by CONNECT. @throws when the answer is not 200 */
export async function tunnelTo(proxy: Authority, target: Authority): Promise<Socket> {
  const socket = await dial(proxy);
  socket.write(`CONNECT ${formatAuthority(target)} HTTP/1.1\r\nHost: ${formatAuthority(target)}\r\n\r\n`);
  const expected = 'HTTP/1.1 200 Connection established\r\n\r\n';
  const answer = (await someOf(socket, expected.length)).toString();
  if (!answer.startsWith(expected)) throw new Error(answer);
  return socket;
}

/** The status code that a CONNECT is answered with. */
export async function connectStatus(proxy: Authority, target: string): Promise<string> {
  const socket = await dial(proxy);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const answer = (await someOf(socket, 12)).toString();
  socket.destroy();
  return answer.slice(9, 12);
}

export interface CurlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs curl without any configuration of the machine's. */
export function curl(...parameters: string[]): Promise<CurlResult> {
  return new Promise(resolve => {
    const env = { PATH: process.env.PATH ?? '' };
    execFile(
      'curl',
      ['-q', '-sS', '--max-time', '12', ...parameters],
      { env, maxBuffer: 16 << 20 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
  });
}

/** The proxy's address in a URL. */
export function urlOf({ proxy }: { proxy: Authority }, scheme = 'http'): string {
  return `${scheme}://${formatAuthority(proxy)}`;
}
