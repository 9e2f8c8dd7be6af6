import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import * as http2 from 'node:http2';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
  connect as tcpConnect,
} from 'node:net';
import type { Duplex } from 'node:stream';
import * as tls from 'node:tls';
import { encodePem, selfSignedCertificate } from '@manypath/core';
import { connect, createServer } from '@manypath/mptcp';

/** Two ends of one connection: what is written into one is read from the other. */
export interface LegPair {
  near: Duplex;
  far: Duplex;
  close(): void;
}

/** Every kind of leg that gateway and relay relay between. */
export const legKinds: Record<string, () => Promise<LegPair>> = {
  tcp: () => pairOver(createTcpServer({ allowHalfOpen: true }), port => dialTcp(port)),
  mptcp: async () => {
    const server = await createServer({ host: '127.0.0.1', allowHalfOpen: true });
    return pairFrom(server, port => connect({ host: '127.0.0.1', port, allowHalfOpen: true }));
  },
  tls: () =>
    pairOver(
      tls.createServer({ ...credentials, allowHalfOpen: true }),
      async port => {
        const socket = tls.connect({
          socket: await dialTcp(port),
          rejectUnauthorized: false,
          allowHalfOpen: true,
        } as tls.ConnectionOptions);
        await event(socket, 'secureConnect');
        return socket;
      },
      'secureConnection',
    ),
  http2: http2Pair,
};

async function pairOver(
  server: Server,
  dial: (port: number) => Promise<Duplex>,
  accepted = 'connection',
): Promise<LegPair> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return pairFrom(server, dial, accepted);
}

async function pairFrom(
  server: Server,
  dial: (port: number) => Promise<Duplex>,
  accepted = 'connection',
): Promise<LegPair> {
  const arrival = new Promise<Duplex>(resolve => server.once(accepted, resolve));
  const far = await dial((server.address() as AddressInfo).port);
  const near = await arrival;
  return {
    near,
    far,
    close() {
      near.destroy();
      far.destroy();
      server.close();
    },
  };
}

async function dialTcp(port: number): Promise<Socket> {
  const socket = tcpConnect({ host: '127.0.0.1', port, allowHalfOpen: true });
  await event(socket, 'connect');
  return socket;
}

async function http2Pair(): Promise<LegPair> {
  const server = http2.createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  session.on('error', () => {});
  const arrival = new Promise<http2.ServerHttp2Stream>(resolve => server.once('stream', resolve));
  const far = session.request({ ':method': 'CONNECT', ':authority': 'example.org:1' });
  const near = await arrival;
  near.respond({ ':status': 200 });
  return {
    near,
    far,
    close() {
      near.destroy();
      far.destroy();
      session.destroy();
      server.close();
    },
  };
}

export function event(emitter: Duplex, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    emitter.once(name, () => resolve());
    if (name !== 'error') emitter.once('error', reject);
  });
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const credentials = {
  key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  cert: encodePem(
    'CERTIFICATE',
    selfSignedCertificate({
      commonName: 'localhost',
      altNames: ['127.0.0.1'],
      notBefore: new Date(Date.now() - 1000),
      notAfter: new Date(Date.now() + 3_600_000),
      serialNumber: randomBytes(8),
      publicKey: publicKey.export({ type: 'spki', format: 'der' }),
      sign: bytes => sign('sha256', bytes, privateKey),
    }),
  ),
};
