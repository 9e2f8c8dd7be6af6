import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { info, listen } from '@manypath/mptcp';
import { type KeyPair, labCertificate } from './certificate.ts';
import { handleOrigin, type OriginRequest, type OriginResponse } from './origin-routes.ts';

export interface OriginOptions {
  /** Address to listen on. Default: every one, IPv4 and IPv6. */
  host?: string;
  /** Ports; 0 takes any free one. Default: 80, 443 and 7. */
  ports?: { http?: number; https?: number; echo?: number };
  /** Take Multipath TCP too, where the namespace has it. Default false: a plain old TCP origin. */
  mptcp?: boolean;
  /** PEM. Default: a certificate made now, for the lab's names and addresses. */
  tls?: KeyPair;
}

/** A web server as there are many: it knows nothing of Manypath. */
export interface Origin {
  readonly ports: { readonly http: number; readonly https: number; readonly echo: number };
  /** The certificate it shows, PEM. */
  readonly certificate: string;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

/** Window for uploads: two links of 500 Mbit/s and 60 ms hold 7.5 MB in flight. */
const uploadWindow = 16 * 1024 * 1024;

/**
 * Starts an origin: cleartext HTTP/1.1; HTTP/1.1 and HTTP/2 over TLS; and a TCP port that sends back what it gets and
 * keeps half-closed connections open. What it serves is told by its page `/`.
 */
export async function startOrigin(options: OriginOptions = {}): Promise<Origin> {
  const { host, ports = {}, mptcp = false } = options;
  const tls = options.tls ?? labCertificate();
  const open = new Set<net.Socket>();

  const plain = http.createServer();
  const secure = http2.createSecureServer({
    ...tls,
    allowHTTP1: true,
    settings: { initialWindowSize: uploadWindow, maxConcurrentStreams: 1000 },
    maxSessionMemory: 1000,
  });
  const echo = net.createServer({ allowHalfOpen: true }, echoBack);

  secure.on('session', session => session.setLocalWindowSize(uploadWindow));
  // Underneath TLS the TCP socket is not reachable from a request, so remember it by its addresses.
  const byPeer = new Map<string, net.Socket>();
  for (const server of [plain, secure, echo]) {
    server.on('connection', (socket: net.Socket) => {
      const name = peerName(socket);
      open.add(socket);
      byPeer.set(name, socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.once('close', () => {
        open.delete(socket);
        if (byPeer.get(name) === socket) byPeer.delete(name);
      });
    });
  }
  const answer = (request: OriginRequest, response: OriginResponse) => {
    const socket = request.socket as net.Socket;
    const transport = byPeer.get(peerName(socket)) ?? socket;
    handleOrigin(request, response, () => info(transport));
  };
  plain.on('request', answer);
  secure.on('request', answer);
  secure.on('sessionError', () => {});

  const where = { mptcp, ...(host === undefined ? {} : { host }) };
  await listen(plain, { ...where, port: ports.http ?? 80 });
  await listen(secure, { ...where, port: ports.https ?? 443 });
  await listen(echo, { ...where, port: ports.echo ?? 7 });
  const servers: net.Server[] = [plain, secure, echo];
  return {
    ports: { http: portOf(plain), https: portOf(secure), echo: portOf(echo) },
    certificate: tls.cert,
    async close() {
      const closed = servers.map(server => new Promise(resolve => server.close(resolve)));
      for (const socket of open) socket.destroy();
      await Promise.all(closed);
    },
  };
}

function echoBack(socket: net.Socket): void {
  socket.pipe(socket);
}

function peerName(socket: net.Socket): string {
  return `${socket.localPort} ${socket.remoteAddress} ${socket.remotePort}`;
}

function portOf(server: net.Server): number {
  const address = server.address();
  return address === null || typeof address === 'string' ? 0 : address.port;
}
