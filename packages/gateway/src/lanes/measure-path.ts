import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  connect as http2Connect,
} from 'node:http2';
import type { Socket } from 'node:net';
import { formatAuthority, formatBasicCredentials, type Pairing, rateServicePath } from '@manypath/core';
import { ArrivalMeter } from '@manypath/forward';
import { info } from '@manypath/mptcp';
import type { MeasuredPath, PathOutlook } from '@manypath/paths';
import { dialOver } from './lane-dial.ts';
import { openLaneSocket } from './lane-socket.ts';

/**
 * Measures a path to the relay in both directions, with a connection of its own and some hundred kilobytes each way.
 *
 * @returns `undefined` when the other side is a proxy that knows nothing of this.
 * @throws what `openLaneSocket` throws
 */
export async function measurePath(
  pairing: Pairing,
  { path }: PathOutlook,
  bytes: number,
  { signal, onSocket }: { signal: AbortSignal; onSocket: (socket: Socket) => void },
): Promise<MeasuredPath | undefined> {
  const socket = await openLaneSocket(pairing, dialOver(path.name), signal);
  onSocket(socket.raw);
  const session = http2Connect(`https://${formatAuthority(pairing.address)}`, {
    createConnection: () => socket.stream,
    settings: { enablePush: false, initialWindowSize: bytes },
  });
  const end = () => session.destroy();
  session.on('error', end);
  session.once('connect', () => session.setLocalWindowSize(2 * bytes));
  signal.addEventListener('abort', end, { once: true });
  try {
    const downMbps = await measureDown(session, socket.raw, pairing, bytes);
    if (downMbps === undefined) return undefined;
    const upMbps = await measureUp(session, pairing, bytes);
    const rttMs = info(socket.raw).subflows[0]?.minRttMs;
    return {
      ...(rttMs === undefined || rttMs === 0 ? {} : { rttMs }),
      ...(downMbps === null ? {} : { downMbps }),
      ...(upMbps === null || upMbps === undefined ? {} : { upMbps }),
    };
  } finally {
    signal.removeEventListener('abort', end);
    session.destroy();
    socket.raw.destroy();
  }
}

/** @returns In Mbit/s; `null` when too little came to tell, `undefined` when there is no such service. */
async function measureDown(session: ClientHttp2Session, raw: Socket, pairing: Pairing, bytes: number) {
  const stream = ask(session, pairing, 'GET', `?bytes=${bytes}`);
  stream.end();
  const meter = new ArrivalMeter(raw);
  try {
    const status = await statusOf(stream);
    stream.resume();
    await ended(stream);
    return status === 200 ? (meter.stop() ?? null) : undefined;
  } finally {
    meter.stop();
  }
}

async function measureUp(session: ClientHttp2Session, pairing: Pairing, bytes: number) {
  const stream = ask(session, pairing, 'POST', '');
  stream.end(Buffer.alloc(bytes));
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => {
    if (text.length < 1000) text += part;
  });
  const status = await statusOf(stream);
  await ended(stream);
  if (status !== 200) return undefined;
  const { mbps } = JSON.parse(text) as { mbps?: unknown };
  return typeof mbps === 'number' && mbps > 0 ? mbps : null;
}

function ask(
  session: ClientHttp2Session,
  { user, secret }: Pairing,
  method: string,
  query: string,
): ClientHttp2Stream {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: method,
    [constants.HTTP2_HEADER_PATH]: `${rateServicePath}${query}`,
    'proxy-authorization': formatBasicCredentials({ user, password: secret }),
  });
  stream.on('error', () => {});
  return stream;
}

function statusOf(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    stream.once('response', headers => resolve(headers[':status'] ?? 0));
    stream.once('close', () => reject(new Error('the relay broke the measurement off')));
  });
}

function ended(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    if (stream.readableEnded) return resolve();
    stream.once('end', resolve);
    stream.once('close', () => reject(new Error('the relay broke the measurement off')));
  });
}
