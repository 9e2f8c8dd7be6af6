import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls';
import { encodePem, selfSignedCertificate } from '@manypath/core';
import { readInto } from '@manypath/mptcp';
import { saveResult } from './results.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';

export interface SealingOptions {
  readonly rounds: number;
  readonly bytes: number;
}

/** Sends so many bytes over loopback and takes them. Fulfilled when all have arrived. */
type Way = (bytes: number) => Promise<void>;

/**
 * What encryption costs: Node's TLS as carriers use it, beside pieces of other sizes that are sealed with AES-128-GCM here, and nothing at
 * all. Both ends run in this process: CPU seconds a GB of both together.
 */
export async function sealing({ rounds, bytes }: SealingOptions): Promise<void> {
  const ways: Record<string, Way> = {
    'not encrypted': plain,
    'TLS 1.3 of Node': tls,
    'own pieces of 16 KB': total => sealed(total, 16_384),
    'own pieces of 64 KB': total => sealed(total, 65_536),
    'own pieces of 256 KB': total => sealed(total, 262_144),
  };
  const costs = new Map<string, number[]>(Object.keys(ways).map(name => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const before = process.cpuUsage();
      await way(bytes);
      const { user, system } = process.cpuUsage(before);
      costs.get(name)?.push((user + system) / 1e6 / (bytes / 1e9));
      process.stderr.write('.');
    }
  }
  process.stderr.write('\n');
  const ofTls = median(costs.get('TLS 1.3 of Node') ?? []);
  const rows = [...costs].map(([name, values]) => {
    const cost = median(values);
    return [name, cost.toFixed(2), (cost / ofTls).toFixed(2)];
  });
  process.stdout.write(formatTable(['both ends together', 'CPU-s a GB', 'to TLS'], rows));
  saveResult('sealing', { rounds, bytes, costs: Object.fromEntries(costs) });
}

const piece = randomBytes(262_144);

async function plain(bytes: number): Promise<void> {
  const server = createServer();
  const [near, far] = await pairOf(server, port => connect(port, '127.0.0.1'), 'connection');
  await Promise.all([send(near, bytes, () => piece), receive(far, bytes, length => length)]);
  end(server, near, far);
}

async function tls(bytes: number): Promise<void> {
  const server = createTlsServer({ ...certificate(), minVersion: 'TLSv1.3' });
  const open = (port: number) => tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  const [near, far] = await pairOf(server, open, 'secureConnection');
  await Promise.all([send(near, bytes, () => piece), receive(far, bytes, length => length)]);
  end(server, near, far);
}

/** Pieces with a length before and a tag behind them, under one key and a counter for a nonce. */
async function sealed(bytes: number, size: number): Promise<void> {
  const server = createServer();
  const [near, far] = await pairOf(server, port => connect(port, '127.0.0.1'), 'connection');
  const key = randomBytes(16);
  const content = piece.subarray(0, size);
  let sent = 0;
  const seal = (): Buffer => {
    const cipher = createCipheriv('aes-128-gcm', key, nonce(sent++));
    const body = cipher.update(content);
    cipher.final();
    return Buffer.concat([body, cipher.getAuthTag()]);
  };
  let opened = 0;
  const held = Buffer.allocUnsafe(size + tagBytes);
  let heldBytes = 0;
  const open = (length: number, memory: Uint8Array): number => {
    let clear = 0;
    for (let at = 0; at < length; ) {
      const taken = Math.min(length - at, held.length - heldBytes);
      held.set(memory.subarray(at, at + taken), heldBytes);
      heldBytes += taken;
      at += taken;
      if (heldBytes < held.length) break;
      heldBytes = 0;
      const decipher = createDecipheriv('aes-128-gcm', key, nonce(opened++));
      decipher.setAuthTag(held.subarray(size));
      clear += decipher.update(held.subarray(0, size)).length;
      decipher.final();
    }
    return clear;
  };
  await Promise.all([send(near, bytes, seal, size), receive(far, bytes, open)]);
  end(server, near, far);
}

const tagBytes = 16;

function nonce(count: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(count, 8);
  return bytes;
}

async function send(socket: Socket, bytes: number, next: () => Buffer, size = piece.length): Promise<void> {
  for (let left = bytes; left > 0; left -= size) {
    if (!socket.write(next())) await once(socket, 'drain');
  }
}

function receive(
  socket: Socket,
  bytes: number,
  take: (length: number, memory: Uint8Array) => number,
): Promise<void> {
  const memory = new Uint8Array(262_144);
  let left = bytes;
  return new Promise(resolve => {
    const onRead = (length: number): boolean => {
      left -= take(length, memory);
      if (left <= 0) resolve();
      return true;
    };
    readInto(socket, () => memory, onRead);
    socket.resume();
  });
}

async function pairOf(
  server: Server,
  open: (port: number) => Socket,
  event: string,
): Promise<[near: Socket, far: Socket]> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = open((server.address() as AddressInfo).port);
  const [far] = (await once(server, event)) as [Socket];
  if (near.connecting) await once(near, 'connect');
  for (const socket of [near, far]) socket.on('error', () => {});
  return [near, far];
}

function end(server: Server, ...sockets: Socket[]): void {
  for (const socket of sockets) socket.destroy();
  server.close();
}

function certificate(): { key: string; cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const hour = 3_600_000;
  const der = selfSignedCertificate({
    commonName: 'sealing',
    altNames: ['127.0.0.1'],
    notBefore: new Date(Date.now() - hour),
    notAfter: new Date(Date.now() + hour),
    serialNumber: Uint8Array.of(1),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    sign: bytes => sign('sha256', bytes, privateKey),
  });
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: encodePem('CERTIFICATE', der),
  };
}
