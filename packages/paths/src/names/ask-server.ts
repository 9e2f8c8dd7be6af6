import { randomInt } from 'node:crypto';
import type { Socket as DatagramSocket } from 'node:dgram';
import type { Socket } from 'node:net';
import { dnsResponseCodes, dnsTypes } from '@manypath/core';
import { connect, openDatagram } from '@manypath/mptcp';
import { pathsLimits } from '../limits.ts';
import { type DnsQuestion, type DnsReply, decodeDnsReply, encodeDnsQuestion } from './dns-query.ts';
import { DnsAnswerError, NameUnknownError } from './errors.ts';

/** A name server, and how it is reached. */
export interface NameServer {
  readonly address: string;
  /** Default 53. */
  readonly port?: number;
  /** The device and source address it is asked over; default: as the routing table has it. */
  readonly device?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** What a name stands for. */
export interface NameAnswer {
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
  /** Seconds for which it holds. */
  readonly ttlSeconds: number;
}

/**
 * Asks one server for a name's addresses, IPv6 and IPv4 at the same time. When one of the two is there, the other has 50 ms
 * more (RFC 8305 §3).
 *
 * @throws NameUnknownError `MANYPATH_NAME_UNKNOWN`, there are none, says the server
 * @throws DnsAnswerError `MANYPATH_NAME_LOOKUP_FAILED`
 * @throws what `openDatagram` throws, and the system's errors
 */
export async function askServer(
  server: NameServer,
  name: string,
  families: readonly (4 | 6)[],
  signal: AbortSignal,
): Promise<NameAnswer> {
  const enough = new AbortController();
  const stop = (): void => enough.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    // IPv6 first, as systems that have it prefer it.
    const asked = [...families].sort((left, right) => right - left);
    const replies = asked.map(family => askOne(server, name, family, enough.signal));
    const settled = await settledTogether(replies, reply => reply.addresses.length > 0);
    return answerOf(name, asked, settled);
  } finally {
    signal.removeEventListener('abort', stop);
    enough.abort();
  }
}

function answerOf(
  name: string,
  families: readonly (4 | 6)[],
  settled: readonly (PromiseSettledResult<DnsReply> | undefined)[],
): NameAnswer {
  const addresses: { address: string; family: 4 | 6 }[] = [];
  let ttlSeconds = Number.POSITIVE_INFINITY;
  for (const [position, family] of families.entries()) {
    const one = settled[position];
    if (one?.status !== 'fulfilled' || one.value.addresses.length === 0) continue;
    addresses.push(...one.value.addresses.map(address => ({ address, family })));
    ttlSeconds = Math.min(ttlSeconds, one.value.ttlSeconds ?? 0);
  }
  // What came without its other half is kept for a moment only: the other half may be there next time.
  if (settled.includes(undefined)) ttlSeconds = Math.min(ttlSeconds, pathsLimits.nameHalfSeconds);
  if (addresses.length > 0) return { addresses, ttlSeconds };
  const failed = settled.find(one => one?.status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
  const negative = settled.flatMap(one => (one?.status === 'fulfilled' ? (one.value.ttlSeconds ?? []) : []));
  throw new NameUnknownError(name, negative.length === 0 ? undefined : Math.min(...negative));
}

/** Waits for all, but only a moment longer once one `suffices`. What is missing then is `undefined`. */
async function settledTogether<T>(
  promises: readonly Promise<T>[],
  suffices: (value: T) => boolean,
): Promise<(PromiseSettledResult<T> | undefined)[]> {
  const results: (PromiseSettledResult<T> | undefined)[] = promises.map(() => undefined);
  await new Promise<void>(resolve => {
    let left = promises.length;
    const settle = (position: number, result: PromiseSettledResult<T>): void => {
      results[position] = result;
      left--;
      if (left === 0) resolve();
      else if (result.status === 'fulfilled' && suffices(result.value)) {
        setTimeout(resolve, pathsLimits.nameOtherFamilyMs);
      }
    };
    for (const [position, promise] of promises.entries()) {
      promise.then(
        value => settle(position, { status: 'fulfilled', value }),
        (reason: unknown) => settle(position, { status: 'rejected', reason }),
      );
    }
  });
  return [...results];
}

async function askOne(
  server: NameServer,
  name: string,
  family: 4 | 6,
  signal: AbortSignal,
): Promise<DnsReply> {
  const type = family === 6 ? dnsTypes.aaaa : dnsTypes.a;
  const question = (edns: boolean): DnsQuestion => ({ id: randomInt(0x10000), name, type, edns });
  let reply = await askByDatagram(server, question(true), signal);
  if (reply.code === dnsResponseCodes.malformed || reply.code === dnsResponseCodes.notImplemented) {
    reply = await askByDatagram(server, question(false), signal);
  }
  if (reply.truncated) reply = await askByStream(server, question(true), signal);
  if (reply.code === dnsResponseCodes.success || reply.code === dnsResponseCodes.noSuchName) return reply;
  throw new DnsAnswerError(name, `${server.address} answered with code ${reply.code}`);
}

async function askByDatagram(
  server: NameServer,
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<DnsReply> {
  const { address, port = 53, device, localAddress } = server;
  const socket = await openDatagram({ address, port, device, localAddress });
  try {
    signal.throwIfAborted();
    return await exchange(socket, question, signal);
  } finally {
    socket.close();
  }
}

function exchange(socket: DatagramSocket, question: DnsQuestion, signal: AbortSignal): Promise<DnsReply> {
  const { nameTries, nameTryMs } = pathsLimits;
  const bytes = encodeDnsQuestion(question);
  return new Promise<DnsReply>((resolve, reject) => {
    let tries = 0;
    const send = (): void => {
      if (tries++ === nameTries) {
        fail(new DnsAnswerError(question.name, 'no answer came'));
        return;
      }
      socket.send(bytes, error => {
        if (error !== null) fail(error);
      });
      timer = setTimeout(send, nameTryMs * tries);
    };
    let timer: NodeJS.Timeout | undefined;
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      done();
      reject(error);
    };
    const onAbort = (): void => fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    // Also after the answer: a late ICMP message must not be an uncaught exception.
    socket.on('error', fail);
    socket.on('message', message => {
      try {
        const reply = decodeDnsReply(message, question);
        if (reply === undefined) return;
        done();
        resolve(reply);
      } catch (error) {
        fail(error);
      }
    });
    send();
  });
}

/** Over TCP, where an answer has a length in front (RFC 1035 §4.2.2). */
async function askByStream(
  server: NameServer,
  question: DnsQuestion,
  signal: AbortSignal,
): Promise<DnsReply> {
  const { address, port = 53, device, localAddress } = server;
  const socket = await connect({
    host: address,
    port,
    mptcp: false,
    signal,
    timeout: pathsLimits.nameTryMs * pathsLimits.nameTries,
    ...(device === undefined ? {} : { device }),
    ...(localAddress === undefined ? {} : { localAddress }),
  });
  const onAbort = (): void => void socket.destroy(signal.reason);
  socket.on('error', () => {});
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () => socket.destroy(new DnsAnswerError(question.name, 'no answer came')),
    pathsLimits.nameTryMs * pathsLimits.nameTries,
  );
  try {
    const bytes = encodeDnsQuestion(question);
    socket.write(Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]));
    const reply = decodeDnsReply(await readMessage(socket, question.name), question);
    if (reply === undefined) throw new DnsAnswerError(question.name, 'the answer is to another question');
    return reply;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function readMessage(socket: Socket, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  return new Promise<Buffer>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const got = Buffer.concat(chunks);
      const length = got.length < 2 ? undefined : got.readUInt16BE(0);
      if (length !== undefined && got.length >= 2 + length) resolve(got.subarray(2, 2 + length));
    });
    socket.once('close', () =>
      reject(socket.errored ?? new DnsAnswerError(name, 'the answer was cut short')),
    );
  });
}
