import { createHash, X509Certificate } from 'node:crypto';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import * as net from 'node:net';
import { buffer, json, text } from 'node:stream/consumers';
import { type Origin, PatternCheck, patternBytes, patternSha256, startOrigin } from '@manypath/lab';
import { connect } from '@manypath/mptcp';
import { afterAll, beforeAll, expect, test } from 'vitest';

let origin: Origin;

beforeAll(async () => {
  origin = await startOrigin({ ports: { http: 0, https: 0, echo: 0 }, mptcp: true });
});
afterAll(() => origin.close());

/** One request; over TLS the certificate must hold for `localhost`. */
async function ask(
  path: string,
  options: { method?: string; headers?: http.OutgoingHttpHeaders; body?: Buffer; tls?: boolean } = {},
): Promise<http.IncomingMessage> {
  const { method = 'GET', headers = {}, body, tls = false } = options;
  const request = tls
    ? https.request({
        host: 'localhost',
        port: origin.ports.https,
        path,
        method,
        headers,
        ca: origin.certificate,
      })
    : http.request({ host: '127.0.0.1', port: origin.ports.http, path, method, headers });
  return await new Promise((resolve, reject) => {
    request.once('response', resolve).once('error', reject).end(body);
  });
}

test.each([false, true])('content is the pattern, by HTTP/1.1 with TLS %s', async tls => {
  const response = await ask('/bytes/3000000', { tls });
  expect(response.statusCode).toBe(200);
  expect(response.headers).toMatchObject({ 'content-length': '3000000', 'accept-ranges': 'bytes' });
  const check = new PatternCheck();
  for await (const chunk of response) check.push(chunk);
  expect(check).toMatchObject({ offset: 3_000_000, mismatchAt: undefined });
});

test('content and uploads pass by HTTP/2', async () => {
  const session = http2.connect(`https://localhost:${origin.ports.https}`, { ca: origin.certificate });
  try {
    const download = session.request({ ':path': '/bytes/2000000' });
    expect((await buffer(download)).equals(patternBytes(0, 2_000_000))).toBe(true);
    const upload = session.request({ ':path': '/upload', ':method': 'POST' });
    upload.end(patternBytes(5, 1_500_000));
    expect(await json(upload)).toEqual({ bytes: 1_500_000, sha256: patternSha256(1_500_000, 5) });
    const who = session.request({ ':path': '/whoami' });
    expect(await json(who)).toMatchObject({ http: '2.0', tls: true, multipath: false });
  } finally {
    session.close();
  }
});

test.each([
  ['bytes=0-9', 206, 0, 10],
  ['bytes=65530-65545', 206, 65_530, 16],
  ['bytes=99990-', 206, 99_990, 10],
  ['bytes=-5', 206, 99_995, 5],
  ['bytes=5-1000000', 206, 5, 99_995],
  ['bytes=abc', 200, 0, 100_000],
  ['lines=1-2', 200, 0, 100_000],
])('the range %s gets %i', async (range, status, offset, length) => {
  const response = await ask('/bytes/100000', { headers: { range } });
  expect(response.statusCode).toBe(status);
  expect((await buffer(response)).equals(patternBytes(offset, length))).toBe(true);
});

test('a range that begins after the end is refused, and one of another version is not a range', async () => {
  const refused = await ask('/bytes/100', { headers: { range: 'bytes=100-' } });
  expect(refused.statusCode).toBe(416);
  expect(refused.headers['content-range']).toBe('bytes */100');
  refused.resume();
  const other = await ask('/bytes/100', { headers: { range: 'bytes=50-', 'if-range': '"pattern-99"' } });
  expect(other.statusCode).toBe(200);
  expect((await buffer(other)).length).toBe(100);
  const same = await ask('/bytes/100', { headers: { range: 'bytes=50-', 'if-range': '"pattern-100"' } });
  expect((await buffer(same)).length).toBe(50);
});

test('HEAD tells the length and sends nothing', async () => {
  const response = await ask('/bytes/123456', { method: 'HEAD' });
  expect(response.headers['content-length']).toBe('123456');
  expect((await buffer(response)).length).toBe(0);
});

test('/upload counts and hashes, /echo returns, /sha256 agrees', async () => {
  const body = patternBytes(0, 700_000);
  const upload = await ask('/upload', { method: 'POST', body });
  expect(await json(upload)).toEqual({
    bytes: 700_000,
    sha256: createHash('sha256').update(body).digest('hex'),
  });
  const echoed = await ask('/echo', { method: 'POST', body, headers: { 'content-type': 'x/y' } });
  expect(echoed.headers['content-type']).toBe('x/y');
  expect((await buffer(echoed)).equals(body)).toBe(true);
  expect(await json(await ask('/echo?q', { headers: { 'x-one': '1' } }))).toMatchObject({
    method: 'GET',
    url: '/echo?q',
    headers: { 'x-one': '1' },
  });
  expect(await text(await ask('/sha256/1000'))).toBe(`${patternSha256(1000)}\n`);
});

test('/slow takes its time', async () => {
  const start = performance.now();
  const body = await buffer(await ask('/slow?bytes=500&ms=150'));
  expect(performance.now() - start).toBeGreaterThanOrEqual(145);
  expect(body.equals(patternBytes(0, 500))).toBe(true);
});

test('/objects has its images, each of the size that was asked for', async () => {
  const page = await text(await ask('/objects/3?bytes=5000'));
  const images = [...page.matchAll(/src="([^"]+)"/g)].map(match => match[1] ?? '');
  expect(images).toHaveLength(3);
  for (const image of images) {
    const response = await ask(image);
    expect(response.headers['content-type']).toBe('image/svg+xml');
    expect((await buffer(response)).length).toBe(5000);
  }
});

test.each([
  ['/bytes/', 400],
  ['/bytes/-1', 400],
  ['/bytes/99999999999999', 400],
  ['/object/x', 400],
  ['/nothing', 404],
  ['/constructor', 404],
])('%s is answered with %i and a reason', async (path, status) => {
  const response = await ask(path);
  expect(response.statusCode).toBe(status);
  expect((await text(response)).length).toBeGreaterThan(10);
});

test('the page for people is there', async () => {
  expect(await text(await ask('/'))).toContain('<h1>');
});

test('the certificate holds for the names and addresses of a lab', () => {
  const certificate = new X509Certificate(origin.certificate);
  expect(certificate.checkHost('origin.lab')).toBe('origin.lab');
  expect(certificate.checkIP('10.77.102.2')).toBe('10.77.102.2');
  expect(certificate.checkIP('fd77:0:0:101::2')).toBeDefined();
});

test('the echo port sends back what comes after its half has been closed', async () => {
  const socket = net.connect({ port: origin.ports.echo, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(patternBytes(0, 300_000));
  expect((await buffer(socket)).equals(patternBytes(0, 300_000))).toBe(true);
});

test('a client that leaves in the middle of a transfer harms nobody', async () => {
  const socket = net.connect({ port: origin.ports.http, host: '127.0.0.1' });
  socket.write('GET /bytes/1000000000 HTTP/1.1\r\nhost: x\r\n\r\n');
  await new Promise(resolve => socket.once('data', resolve));
  socket.resetAndDestroy();
  const garbage = net.connect({ port: origin.ports.https, host: '127.0.0.1' });
  garbage.on('error', () => {});
  garbage.end('GET / HTTP/1.1\r\n\r\n');
  await new Promise(resolve => garbage.once('close', resolve));
  expect((await ask('/whoami')).statusCode).toBe(200);
});

test('/whoami says whether the connection is Multipath TCP', async () => {
  const socket = await connect({ host: '127.0.0.1', port: origin.ports.http });
  socket.end('GET /whoami HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const answer = await text(socket);
  const { multipath, reason } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
  expect(typeof multipath).toBe('boolean');
  expect(reason.length).toBeGreaterThan(5);
  expect(await json(await ask('/whoami'))).toMatchObject({ multipath: false, address: '127.0.0.1' });
});
