/**
 * Servers for the tests. Arguments: folder with key.pem and cert.pem, then `http://ADDRESS:PORT` or
 * `https://ADDRESS:PORT` each. Prints one line when all of them listen.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';

const [folder, ...listeners] = process.argv.slice(2);
const page = readFileSync(new URL('./page.html', import.meta.url));
/** Query strings that arrived, so that a test can tell whether a request did. */
const seen = new Set();
const chunks = 30;
const slowBytes = Buffer.alloc(chunks * 40_000, 'how a byte travels; ');

async function answer(request, response) {
  const url = new URL(request.url, 'http://host');
  const headers = { 'Access-Control-Allow-Origin': '*', 'Cache-Control': 'no-store' };
  if (url.pathname === '/slow') {
    response.writeHead(200, { ...headers, 'Content-Type': 'application/octet-stream' });
    for (let at = 0; at < chunks; at += 1) {
      response.write(slowBytes.subarray(at * 40_000, (at + 1) * 40_000));
      await delay(80);
    }
    return response.end();
  }
  if (url.pathname === '/seen') return response.writeHead(200, headers).end(JSON.stringify([...seen]));
  if (url.search !== '') seen.add(url.search);
  if (url.pathname === '/slow-digest') return response.writeHead(200, headers).end(digest());
  if (url.pathname === '/public') headers['Content-Security-Policy'] = 'treat-as-public-address';
  response.writeHead(200, { ...headers, 'Content-Type': 'text/html' });
  response.end(page);
}

/** Just enough of RFC 6455 for a page to see its socket open. */
function acceptWebSocket(request, socket) {
  seen.add(new URL(request.url, 'http://host').search);
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.on('error', () => {});
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.once('data', () => socket.end(Buffer.from([0x88, 0])));
}

const digest = () => createHash('sha256').update(slowBytes).digest('hex');

for (const listener of listeners) {
  const url = new URL(listener);
  const secure = url.protocol === 'https:';
  const server = secure
    ? createSecureServer(
        {
          key: readFileSync(`${folder}/key.pem`),
          cert: readFileSync(`${folder}/cert.pem`),
          allowHTTP1: true,
        },
        answer,
      )
    : createServer(answer);
  server.on('upgrade', acceptWebSocket);
  server.on('sessionError', () => {});
  server.on('error', error => console.error(error));
  server.listen({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (secure ? 443 : 80)),
    ipv6Only: true,
  });
  await once(server, 'listening');
}
console.log('listening');
