import { once } from 'node:events';
import type { Socket } from 'node:net';
import { type Lab, PatternCheck, patternBytes, TransferMeter, type TransferReport } from '@manypath/lab';
import { connect } from '@manypath/mptcp';

/** How a transfer stands. */
export interface Running {
  /** Bytes that came so far, all of them as they should be. */
  readonly bytes: number;
  /** What went wrong, in words; `undefined` while all is well. */
  readonly failure: string | undefined;
  /** When bytes came, until now. */
  report(): TransferReport;
  /** Ends it. */
  stop(): void;
}

/** Where transfers go through: a gateway on the laptop of a lab. */
export interface Through {
  readonly lab: Lab;
  /** The port of the gateway. */
  readonly port: number;
}

/** Opens a tunnel from the laptop. @throws Error, it is refused or broken off */
export async function openTunnel({ lab, port }: Through, target: string): Promise<Socket> {
  const socket = await lab.run('client', () => connect({ host: '127.0.0.1', port, mptcp: false }));
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  const line = answer.toString('latin1').split('\r\n', 1)[0] ?? '';
  if (!line.includes(' 200 ')) throw new Error(line);
  return socket;
}

/** A download without an end, whose bytes are compared as they come. */
export async function runDownload(through: Through): Promise<Running> {
  const { origin } = through.lab.addresses;
  const socket = await openTunnel(through, `${origin}:80`);
  socket.write(`GET /bytes/${2 ** 39} HTTP/1.1\r\nHost: ${origin}\r\n\r\n`);
  let head = '';
  return follow(socket, chunk => {
    if (head.endsWith('\r\n\r\n')) return chunk;
    const end = (head + chunk.toString('latin1')).indexOf('\r\n\r\n') + 4;
    if (end < 4) throw new Error('its head comes in pieces');
    const rest = chunk.subarray(end - head.length);
    head = (head + chunk.toString('latin1')).slice(0, end);
    return rest;
  });
}

/** An upload without an end to a server that sends it all back, where it is compared. */
export async function runUpload(through: Through): Promise<Running> {
  const socket = await openTunnel(through, `${through.lab.addresses.origin}:7`);
  let sent = 0;
  const send = (): void => {
    while (!socket.destroyed) {
      const piece = patternBytes(sent, pieceBytes);
      sent += pieceBytes;
      if (!socket.write(piece)) break;
    }
  };
  socket.on('drain', send);
  send();
  return follow(socket, chunk => chunk);
}

/** A conversation as over a WebSocket: now and then a few bytes, each of which comes back. */
export async function runConversation(through: Through): Promise<Running> {
  const socket = await openTunnel(through, `${through.lab.addresses.origin}:7`);
  let sent = 0;
  const timer = setInterval(() => {
    socket.write(patternBytes(sent, messageBytes));
    sent += messageBytes;
  }, messageMs);
  socket.once('close', () => clearInterval(timer));
  return follow(socket, chunk => chunk);
}

const pieceBytes = 65_536;
const messageBytes = 100;
const messageMs = 100;

function follow(socket: Socket, contentOf: (chunk: Buffer) => Uint8Array): Running {
  const check = new PatternCheck();
  const meter = new TransferMeter();
  let failure: string | undefined;
  let isStopped = false;
  const fail = (why: string): void => {
    if (!isStopped) failure ??= `${why} after ${meter.bytes} bytes`;
    socket.destroy();
  };
  socket.on('data', (chunk: Buffer) => {
    const content = contentOf(chunk);
    check.push(content);
    meter.add(content.length);
    if (check.mismatchAt !== undefined) fail(`a wrong byte at ${check.mismatchAt}`);
  });
  socket.on('error', error => fail(error.message));
  socket.once('end', () => fail('it ended'));
  socket.once('close', () => fail('it was closed'));
  return {
    get bytes() {
      return meter.bytes;
    },
    get failure() {
      return failure;
    },
    report: () => meter.report(),
    stop() {
      isStopped = true;
      socket.destroy();
    },
  };
}
