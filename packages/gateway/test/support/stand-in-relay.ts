import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  encodePem,
  type Pairing,
  parseAuthority,
  parseBasicCredentials,
  selfSignedCertificate,
} from '@manypath/core';
import { afterThisTest } from './scope.ts';

/** What a stand-in relay answers to a tunnel: a status, or nothing at all. */
export type Verdict = number | 'hang';

export interface StandInRelayOptions {
  /** Whether it offers HTTP/2; default true. */
  http2?: boolean;
  port?: number;
  /** Decides on a target; default 200 for all but the probe. */
  decide?: (target: string) => Verdict | Promise<Verdict>;
  maxConcurrentStreams?: number;
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = publicKey.export({ type: 'spki', format: 'der' });
const cert = encodePem(
  'CERTIFICATE',
  selfSignedCertificate({
    commonName: 'stand-in',
    altNames: ['127.0.0.1', 'localhost'],
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    serialNumber: Uint8Array.of(1),
    publicKey: spki,
    sign: bytes => sign('sha256', bytes, privateKey),
  }),
);
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;

/** The pin of every stand-in relay. */
export const pin = createHash('sha256').update(spki).digest('base64url');

/** The smallest proxy that can stand where a relay stands, and fails on demand. */
export class StandInRelay {
  readonly secret = 'right-secret';
  /** Targets asked for, probes left out, in order. */
  readonly targets: string[] = [];
  /** First bytes that were there when a target was asked for. */
  readonly sessions = new Set<ServerHttp2Session>();
  readonly sockets = new Set<Socket>();
  /** Which connection carries which target, as it was asked for. */
  readonly lanes: { target: string; session: ServerHttp2Session | undefined }[] = [];
  connections = 0;
  readonly #options: StandInRelayOptions;
  #server: Server | undefined;
  port = 0;

  static async start(options: StandInRelayOptions = {}): Promise<StandInRelay> {
    const relay = new StandInRelay(options);
    await relay.listen(options.port ?? 0);
    afterThisTest(() => relay.kill());
    return relay;
  }

  private constructor(options: StandInRelayOptions) {
    this.#options = options;
  }

  get pairing(): Pairing {
    const address = { host: '127.0.0.1', port: this.port };
    return { address, user: 'manypath', secret: this.secret, pin, secure: true, isRelay: true };
  }

  async listen(port = this.port): Promise<void> {
    const credentials = { key, cert, minVersion: 'TLSv1.3' as const };
    const server =
      this.#options.http2 === false
        ? createHttpsServer({ ...credentials, allowHalfOpen: true } as ServerOptions)
        : createSecureServer({
            ...credentials,
            settings: {
              maxConcurrentStreams: this.#options.maxConcurrentStreams ?? 100,
              initialWindowSize: 1 << 20,
            },
          });
    server.on('session', (session: ServerHttp2Session) => {
      this.sessions.add(session);
      session.on('error', () => {});
      session.once('close', () => this.sessions.delete(session));
    });
    server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.sockets.delete(socket));
    });
    server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
      stream.on('error', () => {});
      const authorization = headers['proxy-authorization'];
      void this.#serve(stream, String(headers[':authority']), authorization, {
        accept: () => stream.respond({ ':status': 200 }),
        refuse(status) {
          stream.respond({ ':status': status });
          stream.end(`no, ${status}\n`);
        },
      });
    });
    server.on('connect', (request: IncomingMessage, socket: Duplex) => {
      socket.on('error', () => {});
      void this.#serve(socket, request.url ?? '', request.headers['proxy-authorization'], {
        accept: () => void socket.write('HTTP/1.1 200 OK\r\n\r\n'),
        refuse: status => void socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`),
      });
    });
    server.on('sessionError', () => {});
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host: '127.0.0.1' }, resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Breaks off everything and stops listening, as a killed process does. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = new Promise(resolve => server.close(resolve));
    for (const session of this.sessions) session.destroy();
    for (const socket of this.sockets) socket.resetAndDestroy();
    await closed;
  }

  async #serve(
    stream: Duplex,
    target: string,
    authorization: string | undefined,
    answer: { accept: () => void; refuse: (status: number) => void },
  ): Promise<void> {
    const credentials = parseBasicCredentials(authorization);
    if (credentials?.password !== this.secret) return answer.refuse(407);
    if (target === '127.0.0.1:1') return answer.refuse(403);
    this.targets.push(target);
    this.lanes.push({ target, session: sessionOf(stream) });
    const verdict = await (this.#options.decide?.(target) ?? 200);
    if (verdict === 'hang' || stream.destroyed) return;
    if (verdict !== 200) return answer.refuse(verdict);
    const { port } = parseAuthority(target);
    // Whatever the name, it is on this machine.
    const upstream = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true });
    upstream.once('connect', () => {
      answer.accept();
      stream.pipe(upstream);
      upstream.pipe(stream);
    });
    upstream.once('error', () => {
      if (!stream.destroyed) answer.refuse(502);
    });
    stream.once('close', () => {
      if (stream.readableEnded && stream.writableFinished) upstream.destroy();
      else upstream.resetAndDestroy();
    });
  }
}

function sessionOf(stream: Duplex): ServerHttp2Session | undefined {
  return 'session' in stream ? (stream.session as ServerHttp2Session) : undefined;
}
