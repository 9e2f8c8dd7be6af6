import { once } from 'node:events';
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect as http2Connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import {
  type Authority,
  formatAuthority,
  formatBasicCredentials,
  parsePairing,
  relayUser,
} from '@manypath/core';
import { type Relay, startRelay } from '@manypath/relay';
import { dial } from './client.ts';
import { closedPort } from './origins.ts';
import { afterThisTest, startGateway, temporaryFolder } from './scope.ts';

/** Every name leads to this machine, so that nothing leaves it. */
export const toLoopback = async () => [{ address: '127.0.0.1', family: 4 }];

export interface Ask {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  /** Sent in these pieces; in chunks unless there is a Content-Length. */
  readonly body?: readonly (string | Uint8Array)[];
  /** Called before the body is ended. */
  readonly beforeEnd?: () => Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  /** Whether the client can tell that the body is all there is. */
  readonly whole: boolean;
  /** Statuses of what came ahead of the answer, with its links. */
  readonly informed: readonly (readonly [status: number, links: string])[];
}

/** A client of a proxy. It keeps one connection as long as the proxy does. */
export interface Way {
  ask(origin: { port: number }, request?: Ask): Promise<Answer>;
}

/** A proxy that is spoken to in the clear, and the name by which it reaches origins on this machine. */
export interface PlainProxy {
  readonly connect: () => Promise<Duplex>;
  readonly host: string;
}

/** As an address, this machine would be reached without the relay. */
const originName = 'web.example';

/** A relay on loopback that resolves every name to this machine. */
export async function relayHere(): Promise<Relay> {
  const address = { host: '127.0.0.1', port: await closedPort() };
  const relay = await startRelay({
    listen: address,
    publicHost: address,
    stateDir: temporaryFolder(),
    allowPrivate: true,
    lookup: toLoopback,
  });
  afterThisTest(() => relay.close());
  return relay;
}

/** All ways in which a plain request comes to its origin. */
export const ways: Record<string, () => Promise<Way>> = {
  'a gateway, straight': async () => http1Way(await straightProxy()),
  'a gateway and its relay': async () => http1Way(await proxyWithRelay()),
  'a relay in HTTP/1.1': async () => {
    const relay = await relayHere();
    return http1Way({ connect: () => tlsTo(relay, 'http/1.1'), host: originName }, credentialsFor(relay));
  },
  'a relay in HTTP/2': async () => {
    const relay = await relayHere();
    const socket = await tlsTo(relay, 'h2');
    const session = http2Connect('https://relay', {
      createConnection: () => socket as never,
      maxHeaderListPairs: 10_000,
      settings: { maxHeaderListSize: 262_144 },
    } as object);
    session.on('error', () => {});
    afterThisTest(() => session.destroy());
    return {
      ask: (origin, request) =>
        askHttp2(session, credentialsFor(relay), { host: originName, port: origin.port }, request),
    };
  },
};

/** A gateway without a relay. */
export async function straightProxy(): Promise<PlainProxy> {
  const { proxy } = await startGateway();
  return { connect: () => dial(proxy), host: '127.0.0.1' };
}

/** A gateway with one. */
export async function proxyWithRelay(): Promise<PlainProxy> {
  const relay = await relayHere();
  const { proxy } = await startGateway({ relay: relay.pairing });
  return { connect: () => dial(proxy), host: originName };
}

async function tlsTo(relay: Relay, protocol: string): Promise<Duplex> {
  const { address } = parsePairing(relay.pairing);
  const socket = tlsConnect({ ...address, ALPNProtocols: [protocol], rejectUnauthorized: false });
  socket.on('error', () => {});
  afterThisTest(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

function credentialsFor(relay: Relay): Record<string, string> {
  const { secret } = parsePairing(relay.pairing);
  return { 'proxy-authorization': formatBasicCredentials({ user: relayUser, password: secret }) };
}

function http1Way({ connect, host }: PlainProxy, credentials: Record<string, string> = {}): Way {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = ((_options: object, callback: (error: Error | null, socket?: Duplex) => void) => {
    connect().then(socket => callback(null, socket), callback);
  }) as never;
  afterThisTest(() => agent.destroy());
  return { ask: (origin, request) => askHttp1(agent, credentials, { host, port: origin.port }, request) };
}

async function askHttp1(
  agent: Agent,
  credentials: Record<string, string>,
  origin: Authority,
  { method = 'GET', path = '/', headers = {}, body = [], beforeEnd }: Ask = {},
): Promise<Answer> {
  const place = formatAuthority(origin);
  const request = httpRequest({
    agent,
    method,
    path: `http://${place}${path}`,
    headers: { host: place, ...credentials, ...headers },
    maxHeaderSize: 1 << 20,
  });
  const informed: [number, string][] = [];
  request.on('information', ({ statusCode, headers: fields }) => {
    informed.push([statusCode, String(fields.link ?? '')]);
  });
  const answered = once(request, 'response') as Promise<[IncomingMessage]>;
  answered.catch(() => {});
  request.on('error', () => {});
  await sendBody(request, body, beforeEnd);
  const [response] = await answered;
  const { text, whole } = await readAll(response, () => response.complete);
  return { status: response.statusCode ?? 0, headers: response.headers, body: text, whole, informed };
}

async function askHttp2(
  session: ClientHttp2Session,
  credentials: Record<string, string>,
  origin: Authority,
  { method = 'GET', path = '/', headers = {}, body = [], beforeEnd }: Ask = {},
): Promise<Answer> {
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const stream = session.request(
    {
      ':method': method,
      ':scheme': 'http',
      ':authority': formatAuthority(origin),
      ':path': path,
      ...credentials,
      ...Object.fromEntries(lower.filter(([name]) => name !== 'transfer-encoding')),
    },
    { endStream: body.length === 0 },
  );
  stream.on('error', () => {});
  const informed: [number, string][] = [];
  stream.on('headers', fields => informed.push([fields[':status'] ?? 0, String(fields.link ?? '')]));
  const answered = once(stream, 'response');
  answered.catch(() => {});
  if (body.length > 0) await sendBody(stream, body, beforeEnd);
  const [fields] = await answered;
  const { text, whole } = await readAll(stream, () => stream.rstCode === 0);
  return { status: fields[':status'], headers: fields, body: text, whole, informed };
}

async function sendBody(
  sink: ClientRequest | Duplex,
  body: readonly (string | Uint8Array)[],
  beforeEnd: Ask['beforeEnd'],
): Promise<void> {
  for (const piece of body) {
    if (sink.destroyed) return;
    await new Promise(resolve => {
      sink.once('close', resolve);
      sink.write(piece, resolve);
    });
  }
  await beforeEnd?.();
  sink.end();
}

async function readAll(
  source: IncomingMessage | Duplex,
  isWhole: () => boolean,
): Promise<{ text: string; whole: boolean }> {
  const parts: Buffer[] = [];
  source.on('data', (part: Buffer) => parts.push(part));
  await new Promise(resolve => source.once('close', resolve));
  return { text: Buffer.concat(parts).toString('latin1'), whole: isWhole() };
}
