import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadIdentity, ownCertificate } from '../src/identity.ts';
import { httpOrigin, pattern } from './support/origins.ts';
import { type TestRelay, temporaryFolder, testRelay } from './support/relay.ts';

const run = promisify(execFile);
const help = curlHelp();

/** The ways a curl of this machine can speak to a proxy; --proxy-http2 came with curl 8.1. */
const dialects: Record<string, string[] | undefined> = {
  'HTTP/1.1': help === undefined ? undefined : [],
  'HTTP/2': help?.includes('--proxy-http2') ? ['--proxy-http2'] : undefined,
};

interface CurlAnswer {
  body: Buffer;
  /** Status of the answer, and of the proxy's to CONNECT. */
  status: number;
  proxyStatus: number;
}

async function curl(
  { pairing, stateDir }: TestRelay,
  args: string[],
  secret = pairing.secret,
): Promise<CurlAnswer> {
  const { host, port } = pairing.address;
  const proxy = ['--proxy', `https://${host}:${port}`, '--proxy-cacert', join(stateDir, 'relay', 'cert.pem')];
  const credentials = secret === '' ? [] : ['--proxy-user', `manypath:${secret}`];
  const report = ['--write-out', '%{stderr}%{http_code} %{http_connect}', '--silent', '--noproxy', ''];
  const answer = await run('curl', [...report, ...proxy, ...credentials, ...args], {
    encoding: 'buffer',
    maxBuffer: 1 << 28,
  }).catch(error => error);
  const [status, proxyStatus] = String(answer.stderr).split(' ').map(Number);
  return { body: answer.stdout, status: status ?? 0, proxyStatus: proxyStatus ?? 0 };
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

for (const [dialect, flags] of Object.entries(dialects)) {
  const missing = help === undefined ? 'there is no curl' : 'this curl knows no --proxy-http2';
  describe.skipIf(flags === undefined)(
    `curl through the relay over ${dialect}${flags ? '' : ` (${missing})`}`,
    () => {
      const args = flags ?? [];

      it('loads http:// and https:// pages', async () => {
        const relay = await testRelay();
        const plain = await httpOrigin((request, response) => response.end(`plain ${request.url}`));
        const first = await curl(relay, [...args, `http://${plain}/page`]);
        expect([first.status, String(first.body)]).toEqual([200, 'plain /page']);
        const secure = await httpsOrigin(Buffer.from('secure'));
        const second = await curl(relay, [...args, '--insecure', secure]);
        expect([second.proxyStatus, second.status, String(second.body)]).toEqual([200, 200, 'secure']);
      });

      for (const secret of ['', 'wrong']) {
        it(`is answered 407 with ${secret === '' ? 'no' : 'a wrong'} secret`, async () => {
          const relay = await testRelay();
          expect((await curl(relay, [...args, 'http://127.0.0.1:9/'], secret)).status).toBe(407);
          expect((await curl(relay, [...args, 'https://127.0.0.1:9/'], secret)).proxyStatus).toBe(407);
        });
      }

      it('is answered 403 for what is inside', async () => {
        const relay = await testRelay({ allowPrivate: false });
        for (const host of ['127.0.0.1', '169.254.169.254', '10.0.0.1', '[::1]', 'localhost', '2130706433']) {
          expect((await curl(relay, [...args, `http://${host}/`])).status).toBe(403);
          expect((await curl(relay, [...args, `https://${host}/`])).proxyStatus).toBe(403);
        }
      });

      it('carries 64 MB each way, byte for byte', { timeout: 60_000 }, async () => {
        const bytes = pattern(64 << 20, 7);
        const digest = createHash('sha256').update(bytes).digest('hex');
        const relay = await testRelay();
        const url = await httpsOrigin(bytes);
        const { body } = await curl(relay, [...args, '--insecure', url]);
        expect(createHash('sha256').update(body).digest('hex')).toBe(digest);
        const file = join(temporaryFolder(), 'upload');
        writeFileSync(file, bytes);
        const upload = await curl(relay, [...args, '--insecure', '--data-binary', `@${file}`, url]);
        expect(String(upload.body)).toBe(digest);
      });
    },
  );
}

function curlHelp(): string | undefined {
  try {
    return String(execFileSync('curl', ['--help', 'all']));
  } catch {
    return undefined;
  }
}
