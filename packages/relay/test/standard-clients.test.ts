import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type ClientHttp2Session, connect as http2Connect } from 'node:http2';
import { createServer as createHttpsServer, request as httpRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { connect as tlsConnect } from 'node:tls';
import { promisify } from 'node:util';
import type { Pairing } from '@manypath/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadIdentity, ownCertificate } from '../src/identity.ts';
import { authorization } from './support/client.ts';
import { httpOrigin, pattern } from './support/origins.ts';
import { type TestRelay, temporaryFolder, testRelay } from './support/relay.ts';

const run = promisify(execFile);
const help = curlHelp();

interface Answer {
  body: Buffer;
  /** Status of the answer, and of the proxy's to CONNECT; 0 when there was none. */
  status: number;
  proxyStatus: number;
}

interface Wish {
  url: string;
  /** Default: the right one. Empty: none. */
  secret?: string;
  /** What is sent with POST. Default: nothing, with GET. */
  upload?: Buffer;
}

/** A program that knows nothing of Manypath and asks a relay for a page. */
type Client = (relay: TestRelay, wish: Wish) => Promise<Answer>;

/** Clients by what they speak with the proxy; --proxy-http2 came with curl 8.1. */
const clients: Record<string, Client> = {
  'curl over HTTP/1.1': curl([]),
  ...(help?.includes('--proxy-http2') ? { 'curl over HTTP/2': curl(['--proxy-http2']) } : {}),
  'Node over HTTP/2': nodeHttp2,
};

function curl(flags: readonly string[]): Client {
  return async ({ pairing, stateDir }, { url, secret = pairing.secret, upload }) => {
    const { host, port } = pairing.address;
    const proxy = ['--proxy', `https://${host}:${port}`, '--proxy-cacert', certificateIn(stateDir)];
    const credentials = secret === '' ? [] : ['--proxy-user', `manypath:${secret}`];
    const report = ['--write-out', '%{stderr}%{http_code} %{http_connect}', '--silent', '--noproxy', ''];
    const file = join(temporaryFolder(), 'upload');
    if (upload !== undefined) writeFileSync(file, upload);
    const body = upload === undefined ? [] : ['--data-binary', `@${file}`];
    const words = [...flags, ...report, ...proxy, ...credentials, ...body, '--insecure', url];
    const answer = await run('curl', words, { encoding: 'buffer', maxBuffer: 1 << 28 }).catch(error => error);
    const [status, proxyStatus] = String(answer.stderr).split(' ').map(Number);
    return { body: answer.stdout, status: status ?? 0, proxyStatus: proxyStatus ?? 0 };
  };
}

/** Node's own HTTP/2, with a request for http: and CONNECT for https:. */
async function nodeHttp2({ pairing, stateDir }: TestRelay, wish: Wish): Promise<Answer> {
  const { host, port } = pairing.address;
  const session = http2Connect(`https://${host}:${port}`, { ca: readFileSync(certificateIn(stateDir)) });
  try {
    return await askByHttp2(session, pairing, wish);
  } finally {
    session.destroy();
  }
}

async function askByHttp2(
  session: ClientHttp2Session,
  pairing: Pairing,
  { url, secret = pairing.secret, upload }: Wish,
): Promise<Answer> {
  const { protocol, host, port, pathname } = new URL(url);
  const credentials = secret === '' ? {} : { 'proxy-authorization': authorization(pairing, secret) };
  if (protocol === 'http:') {
    const pseudo = { ':method': 'GET', ':scheme': 'http', ':authority': host, ':path': pathname };
    const stream = session.request({ ...pseudo, ...credentials });
    const [answer] = await once(stream, 'response');
    return { body: await buffer(stream), status: answer[':status'], proxyStatus: 0 };
  }
  const authority = port === '' ? `${host}:443` : host;
  const tunnel = session.request(
    { ':method': 'CONNECT', ':authority': authority, ...credentials },
    { endStream: false },
  );
  const [{ ':status': proxyStatus }] = await once(tunnel, 'response');
  if (proxyStatus !== 200) return { body: Buffer.of(), status: 0, proxyStatus };
  const createConnection = () =>
    tlsConnect({ socket: tunnel as unknown as Socket, rejectUnauthorized: false });
  const request = httpRequest(url, { createConnection, method: upload === undefined ? 'GET' : 'POST' });
  request.end(upload);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return { body: await buffer(answer), status: answer.statusCode ?? 0, proxyStatus };
}

function certificateIn(stateDir: string): string {
  return join(stateDir, 'relay', 'cert.pem');
}

async function httpsOrigin(body: Buffer): Promise<string> {
  const folder = temporaryFolder();
  const { key } = loadIdentity(folder);
  const server = createHttpsServer(ownCertificate(folder, key, ['127.0.0.1']), (request, response) => {
    const digest = createHash('sha256');
    request.on('data', chunk => digest.update(chunk));
    request.once('end', () => {
      if (request.method === 'POST') response.end(digest.digest('hex'));
      else response.end(body);
    });
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

for (const [name, ask] of Object.entries(clients)) {
  const missing = name.startsWith('curl') && help === undefined ? ' (there is no curl)' : '';
  describe.skipIf(missing !== '')(`${name} through the relay${missing}`, () => {
    it('loads http:// and https:// pages', async () => {
      const relay = await testRelay();
      const plain = await httpOrigin((request, response) => response.end(`plain ${request.url}`));
      const first = await ask(relay, { url: `http://${plain}/page` });
      expect([first.status, String(first.body)]).toEqual([200, 'plain /page']);
      const second = await ask(relay, { url: await httpsOrigin(Buffer.from('secure')) });
      expect([second.proxyStatus, second.status, String(second.body)]).toEqual([200, 200, 'secure']);
    });

    for (const secret of ['', 'wrong']) {
      it(`is answered 407 with ${secret === '' ? 'no' : 'a wrong'} secret`, async () => {
        const relay = await testRelay();
        expect((await ask(relay, { url: 'http://127.0.0.1:9/', secret })).status).toBe(407);
        expect((await ask(relay, { url: 'https://127.0.0.1:9/', secret })).proxyStatus).toBe(407);
      });
    }

    it('is answered 403 for what is inside', async () => {
      const relay = await testRelay({ allowPrivate: false });
      for (const host of ['127.0.0.1', '169.254.169.254', '10.0.0.1', '[::1]', 'localhost', '2130706433']) {
        expect((await ask(relay, { url: `http://${host}/` })).status).toBe(403);
        expect((await ask(relay, { url: `https://${host}/` })).proxyStatus).toBe(403);
      }
    });

    it('carries 64 MB each way, byte for byte', { timeout: 60_000 }, async () => {
      const bytes = pattern(64 << 20, 7);
      const digest = createHash('sha256').update(bytes).digest('hex');
      const relay = await testRelay();
      const url = await httpsOrigin(bytes);
      const { body } = await ask(relay, { url });
      expect(createHash('sha256').update(body).digest('hex')).toBe(digest);
      expect(String((await ask(relay, { url, upload: bytes })).body)).toBe(digest);
    });
  });
}

function curlHelp(): string | undefined {
  try {
    return String(execFileSync('curl', ['--help', 'all']));
  } catch {
    return undefined;
  }
}
