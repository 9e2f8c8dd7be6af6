import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Lab, PatternCheck, patternBytes, TransferMeter } from '@manypath/lab';
import { connect } from '@manypath/mptcp';
import { WebSocket } from 'ws';

/** What moves while the network is away. */
export interface Transfer {
  readonly name: string;
  /**
   * Moves bytes through the gateway without a pause, for some time, and compares every one of them.
   *
   * @throws what broke it
   */
  run(lab: Lab, milliseconds: number): Promise<Outcome>;
}

export interface Outcome {
  /** Longest time without progress, in milliseconds; `undefined` where this end cannot see it. */
  readonly stallMs: number | undefined;
}

/** Where the gateway listens on the client, and the site with the WebSocket on the origin. */
export const ports = { gateway: 8118, site: 81 } as const;

/** Bytes a second: as much as both links carry together leaves room to make up for what was held up. */
const rate = { down: 1_000_000, up: 500_000 } as const;
/** How often a little is sent, in milliseconds. */
const beatMs = 50;

export const transfers: readonly Transfer[] = [
  { name: 'download', run: download },
  { name: 'upload', run: upload },
  { name: 'WebSocket', run: webSocket },
];

async function download(lab: Lab, milliseconds: number): Promise<Outcome> {
  const bytes = Math.round((rate.down * milliseconds) / 1000);
  const socket = await openTunnel(lab, 80);
  socket.write(
    `GET /slow?bytes=${bytes}&ms=${milliseconds} HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n`,
  );
  const meter = new TransferMeter();
  const check = new PatternCheck();
  let head = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    let body = chunk;
    if (!head.includes('\r\n\r\n')) {
      const seen = head.length;
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) continue;
      body = chunk.subarray(end + 4 - seen);
    }
    meter.add(body.length);
    check.push(body);
  }
  const { longestGapMs } = meter.report();
  if (check.mismatchAt !== undefined) throw new Error(`byte ${check.mismatchAt} was another one`);
  if (meter.bytes < bytes) throw new Error(`it ended after ${meter.bytes} of ${bytes} bytes`);
  return { stallMs: longestGapMs };
}

async function upload(lab: Lab, milliseconds: number): Promise<Outcome> {
  const beats = Math.ceil(milliseconds / beatMs);
  const each = Math.round((rate.up * beatMs) / 1000);
  const socket = await openTunnel(lab, 80);
  const answered = answerTo(socket);
  // It is waited for below, which may be after it has failed.
  answered.catch(() => {});
  socket.write(
    `POST /upload HTTP/1.1\r\nHost: origin\r\nContent-Length: ${beats * each}\r\nConnection: close\r\n\r\n`,
  );
  const hash = createHash('sha256');
  const start = performance.now();
  for (let beat = 0; beat < beats && !socket.destroyed; beat++) {
    const chunk = patternBytes(beat * each, each);
    hash.update(chunk);
    if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), answered]);
    // What was held up is made up for.
    await sleep(Math.max(0, start + (beat + 1) * beatMs - performance.now()));
  }
  const answer = await answered;
  if (!answer.includes(hash.digest('hex'))) throw new Error('other bytes arrived, or no answer came');
  return { stallMs: undefined };
}

/** All that comes until the other side ends. */
async function answerTo(socket: Socket): Promise<string> {
  let answer = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) answer += chunk.toString('latin1');
  return answer;
}

/** Numbers that come back, in the order in which they went. */
async function webSocket(lab: Lab, milliseconds: number): Promise<Outcome> {
  const socket = await openTunnel(lab, ports.site);
  const ws = new WebSocket(`ws://${lab.addresses.origin}:${ports.site}/ws`, {
    // Nothing comes before it has asked.
    createConnection: () => socket.resume(),
    perMessageDeflate: false,
  });
  const broken = new Promise<never>((_, reject) => {
    ws.on('error', reject).on('close', code => reject(new Error(`it was closed with code ${code}`)));
  });
  broken.catch(() => {});
  await Promise.race([once(ws, 'open'), broken]);
  const meter = new TransferMeter();
  let [sent, expected] = [0, 0];
  const back = new Promise<void>((resolve, reject) => {
    const beats = Math.ceil(milliseconds / beatMs);
    let rest = '';
    ws.on('message', data => {
      // What comes back need not be in the same pieces.
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line !== String(expected)) reject(new Error(`${line} came back in place of ${expected}`));
        meter.add(1);
        expected++;
      }
      if (expected === beats) resolve();
    });
    const send = async () => {
      for (; sent < beats && ws.readyState === WebSocket.OPEN; sent++) {
        ws.send(Buffer.from(`${sent}\n`));
        await sleep(beatMs);
      }
    };
    send().catch(reject);
  });
  try {
    await Promise.race([back, broken]);
    return { stallMs: meter.report().longestGapMs };
  } finally {
    ws.terminate();
  }
}

/** A tunnel to a port of the origin, as a program opens it. */
async function openTunnel(lab: Lab, port: number): Promise<Socket> {
  const socket = await lab.run('client', () =>
    connect({ host: '127.0.0.1', port: ports.gateway, mptcp: false }),
  );
  socket.write(`CONNECT ${lab.addresses.origin}:${port} HTTP/1.1\r\nHost: origin\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.pause();
  const text = answer.toString('latin1');
  if (!text.startsWith('HTTP/1.1 200')) throw new Error(`the gateway refused: ${text.split('\r\n', 1)[0]}`);
  return socket;
}
