import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as http2Connect } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import {
  encodeRequestHead,
  formatBasicCredentials,
  type HttpResponseHead,
  HttpResponseHeadParser,
  type Pairing,
} from '@manypath/core';
import { connect } from '@manypath/mptcp';
import { onTestFinished } from 'vitest';

const transports = new WeakMap<Duplex, Socket>();

/** Breaks a tunnel off as a client does that crashes: TCP reset, or RST_STREAM. */
export function breakOff(stream: Duplex): void {
  const transport = transports.get(stream);
  if (transport === undefined) stream.destroy();
  else transport.resetAndDestroy();
}

/** A TLS connection to the relay, over MPTCP where this kernel has it. */
export async function tlsTo(
  { address }: Pairing,
  protocols: string[] = ['http/1.1'],
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  // Node's HTTP/2 does not close a connection that may stay half-open.
  const raw = await connect({ ...address, allowHalfOpen: !protocols.includes('h2') });
  raw.on('error', () => {});
  const socket = tlsConnect({
    socket: raw,
    ALPNProtocols: protocols,
    rejectUnauthorized: false,
    ...options,
  });
  // A relay that has no time for a client any more resets its connection.
  socket.on('error', () => {});
  transports.set(socket, raw);
  onTestFinished(() => {
    socket.destroy();
    raw.destroy();
  });
  await once(socket, 'secureConnect');
  return socket;
}

export function authorization(pairing: Pairing, secret: string = pairing.secret): string {
  return formatBasicCredentials({ user: 'manypath', password: secret });
}

/** What a proxy answered in HTTP/1.1, with what came right behind the head put back into the socket. */
export async function readHead(socket: Socket): Promise<HttpResponseHead> {
  const parser = new HttpResponseHeadParser();
  for (;;) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) {
      await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
      if (socket.readableEnded || socket.destroyed) throw new Error('the connection ended in the head');
      continue;
    }
    const head = parser.push(chunk);
    if (head === undefined) continue;
    if (parser.rest.length > 0) socket.unshift(Buffer.from(parser.rest));
    return head;
  }
}

export interface Http1Answer extends HttpResponseHead {
  readonly socket: TLSSocket;
}

/** CONNECT in HTTP/1.1 on a connection of its own. */
export async function connectHttp1(
  pairing: Pairing,
  target: string,
  { secret = pairing.secret, send = '' }: { secret?: string | null; send?: string } = {},
): Promise<Http1Answer> {
  const socket = await tlsTo(pairing);
  const credentials =
    secret === null ? [] : [['Proxy-Authorization', authorization(pairing, secret)] as const];
  const head = Buffer.from(encodeRequestHead('CONNECT', target, [['Host', target], ...credentials]));
  socket.write(Buffer.concat([head, Buffer.from(send)]));
  return { ...(await readHead(socket)), socket };
}

/** An HTTP/2 connection to the relay with large windows. */
export async function http2To(pairing: Pairing): Promise<ClientHttp2Session> {
  const socket = await tlsTo(pairing, ['h2']);
  const session = http2Connect('https://relay', {
    createConnection: () => socket,
    settings: { initialWindowSize: 16_777_216, enablePush: false },
    maxSessionMemory: 1024,
  });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  if (session.connecting) await once(session, 'connect');
  session.setLocalWindowSize(67_108_864);
  return session;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly stream: ClientHttp2Stream;
}

/** Any request on an HTTP/2 connection. */
export async function requestHttp2(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  { endStream = true, send }: { endStream?: boolean; send?: Uint8Array } = {},
): Promise<Http2Answer> {
  const stream = session.request(headers, { endStream: endStream && send === undefined });
  stream.on('error', () => {});
  if (send !== undefined) stream.end(send);
  const [answer] = await once(stream, 'response');
  return { status: answer[':status'], headers: answer, stream };
}

/** CONNECT on an HTTP/2 connection. */
export function connectHttp2(
  session: ClientHttp2Session,
  pairing: Pairing,
  target: string,
  secret: string | null = pairing.secret,
): Promise<Http2Answer> {
  const credentials: Record<string, string> =
    secret === null ? {} : { 'proxy-authorization': authorization(pairing, secret) };
  const headers = { ':method': 'CONNECT', ':authority': target, ...credentials };
  return requestHttp2(session, headers, { endStream: false });
}

/** Everything a stream still gives, as text. */
export async function readText(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks).toString('utf8');
}
