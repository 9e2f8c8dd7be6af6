/** The peer's host: one TCP connection, its bytes in base64 within JSON, as streams by native messaging alone have to be. */
import { Socket } from 'node:net';

const socket = new Socket().setNoDelay(true);
/** Raw bytes of one message: the browser takes 1 MiB of JSON at most. */
const most = 700_000;

function send(message) {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(body.length);
  return process.stdout.write(Buffer.concat([head, body]));
}

let input = Buffer.alloc(0);
process.stdin.on('data', chunk => {
  input = input.length === 0 ? chunk : Buffer.concat([input, chunk]);
  while (input.length >= 4 && input.length >= 4 + input.readUInt32LE(0)) {
    const end = 4 + input.readUInt32LE(0);
    const { data, port } = JSON.parse(input.subarray(4, end).toString());
    input = input.subarray(end);
    if (port !== undefined) socket.connect(port, '127.0.0.1');
    if (data !== undefined) socket.write(Buffer.from(data, 'base64'));
  }
});
process.stdin.on('end', () => process.exit());
socket.on('error', () => {});
socket.on('data', chunk => {
  for (let at = 0; at < chunk.length; at += most) {
    const sent = send({ data: chunk.subarray(at, at + most).toString('base64') });
    if (!sent) {
      socket.pause();
      process.stdout.once('drain', () => socket.resume());
    }
  }
});
