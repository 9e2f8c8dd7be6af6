import { execFile, execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer, inNamespace } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { tcpOrigin } from './support/origins.ts';
import { afterThisTest, startGateway } from './support/scope.ts';

const missing = process.getuid?.() === 0 ? undefined : 'network namespaces need root';
if (missing !== undefined && process.env.MANYPATH_REQUIRE?.includes('lab')) throw new Error(missing);

let made = 0;

/** A network namespace in which everything that is for loopback is redirected to a server of this process. */
async function redirectingNamespace() {
  const name = `mpgw-${process.pid}-${made++}`;
  const ip = (...parameters: string[]) => execFileSync('ip', parameters, { encoding: 'utf8' });
  ip('netns', 'add', name);
  afterThisTest(() => void ip('netns', 'del', name));
  ip('-n', name, 'link', 'set', 'lo', 'up');
  const place = `/run/netns/${name}`;
  const listenIn = (host: string) =>
    inNamespace(place, () => createTcpServer({ host, port: 0, mptcp: false, allowHalfOpen: true }));
  const four = await listenIn('127.0.0.1');
  const six = await listenIn('::1');
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;
  const rules = `
    table inet redirected {
      chain output {
        type nat hook output priority -100;
        ip daddr 127.0.0.0/8 tcp dport != ${portOf(four)} redirect to :${portOf(four)}
        ip6 daddr ::1 tcp dport != ${portOf(six)} redirect to :${portOf(six)}
      }
    }`;
  execFileSync('ip', ['netns', 'exec', name, 'nft', '-f', '-'], { input: rules });
  const curl = (url: string): Promise<{ code: number; stdout: string }> =>
    new Promise(resolve => {
      const parameters = ['netns', 'exec', name, 'curl', '-q', '-sS', '--max-time', '5', url];
      execFile('ip', parameters, (error, stdout) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout });
      });
    });
  return { four, six, listenIn, portOf, curl, name };
}

describe.skipIf(missing)(
  `connections out of a quiet namespace${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    it('that were redirected reach what they were meant for, on either loopback address', async () => {
      const namespace = await redirectingNamespace();
      const gateway = await startGateway();
      gateway.serveRedirected(namespace.four);
      gateway.serveRedirected(namespace.six);
      for (const host of ['127.0.0.1', '::1']) {
        const server = createServer((_, response) => response.end(`from ${host}`));
        await new Promise<void>(resolve => server.listen(0, host, resolve));
        afterThisTest(() => {
          server.close();
          server.closeAllConnections();
        });
        const port = namespace.portOf(server);
        for (const asked of [`127.0.0.1:${port}`, `[::1]:${port}`]) {
          expect(await namespace.curl(`http://${asked}/`), asked).toEqual({
            code: 0,
            stdout: `from ${host}`,
          });
        }
      }
      expect(gateway.status().totals).toMatchObject({ opened: 4, failed: 0 });
    });

    it('are reset when nobody listens there, as they would be without a gateway', async () => {
      const namespace = await redirectingNamespace();
      const gateway = await startGateway();
      gateway.serveRedirected(namespace.four);
      // A reset is to curl a failure in receiving (56), or in connecting (7) where it comes at once; not a page of the gateway's.
      const { code, stdout } = await namespace.curl('http://127.0.0.1:1/');
      expect([7, 56]).toContain(code);
      expect(stdout).toBe('');
    });

    it('to the proxy port there are served like those of this host', async () => {
      const namespace = await redirectingNamespace();
      const gateway = await startGateway();
      const proxy = await namespace.listenIn('127.0.0.1');
      const port = namespace.portOf(proxy);
      execFileSync('ip', ['netns', 'exec', namespace.name, 'nft', 'flush', 'ruleset']);
      gateway.serve(proxy);
      const origin = await tcpOrigin(socket => socket.end('HTTP/1.0 200 OK\r\n\r\nfine'));
      const stdout = await new Promise(resolve => {
        const url = `http://127.0.0.1:${origin.port}/`;
        const parameters = [
          'netns',
          'exec',
          namespace.name,
          'curl',
          '-q',
          '-sS',
          '-x',
          `127.0.0.1:${port}`,
          url,
        ];
        execFile('ip', parameters, (_, text) => resolve(text));
      });
      expect(stdout).toBe('fine');
      await gateway.close();
      expect(proxy.listening).toBe(false);
    });
  },
);
