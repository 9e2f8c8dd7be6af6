/**
 * Sends bytes as fast as they are taken, always from the same buffer, so that it costs as little as it can.
 * Started as a child process; jobs come and reports go over IPC.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, info, reasonText, type SocketInfo } from '@manypath/mptcp';
import type { LoadJob, LoadReport } from './messages.ts';

const block = Buffer.alloc(1024 * 1024, 'manypath ');

process.on('message', job => {
  void run(job as LoadJob).then(
    report => process.send?.(report),
    error => process.send?.({ error: String(error) }),
  );
});

async function run(job: LoadJob): Promise<LoadReport> {
  const each = Math.ceil(job.bytes / job.streams);
  const sent = await Promise.all(Array.from({ length: job.streams }, () => send(job, each)));
  const plain = sent.find(({ multipath }) => !multipath);
  return { multipath: plain === undefined, reason: reasonText((plain ?? sent[0])?.reason ?? 'closed') };
}

/** @returns what the connection was, as soon as it stood. */
async function send(job: LoadJob, bytes: number): Promise<SocketInfo> {
  const socket = await connect({ host: '127.0.0.1', port: job.port, mptcp: job.mptcp });
  socket.on('error', () => {});
  await greet(socket, job);
  const kind = info(socket);
  for (let left = bytes; left > 0; left -= block.length) {
    if (!socket.write(block.subarray(0, left))) await once(socket, 'drain');
  }
  socket.end();
  socket.resume();
  await once(socket, 'close');
  return kind;
}

/** Tells the relay where to go, when it does not know. */
async function greet(socket: Socket, { dialect, target }: LoadJob): Promise<void> {
  if (dialect === 'connect') {
    await ask(socket, Buffer.from(`CONNECT ${target.host}:${target.port} HTTP/1.1\r\nHost: sink\r\n\r\n`));
  } else if (dialect === 'socks5') {
    await ask(socket, Buffer.of(5, 1, 0));
    await ask(
      socket,
      Buffer.of(5, 1, 0, 1, ...target.host.split('.').map(Number), target.port >> 8, target.port & 0xff),
    );
  }
}

async function ask(socket: Socket, words: Buffer): Promise<void> {
  const answered = once(socket, 'data');
  socket.resume();
  socket.write(words);
  const [answer] = (await answered) as [Buffer];
  socket.pause();
  const refused = words[0] === 5 ? answer[1] !== 0 : !answer.toString('latin1').startsWith('HTTP/1.1 200');
  if (refused) throw new Error(`the relay refused: ${answer.toString('latin1', 0, 80)}`);
}
