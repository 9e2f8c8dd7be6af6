import { mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { controlProtocol, encodeNativeMessage, nativeMessagingLimits } from '@manypath/core';
import { Gateway } from '@manypath/gateway';
import { describe, expect, it } from 'vitest';
import { writeNativeHost } from '../../src/install/index.ts';
import { NativeHost } from '../../src/native-host/pipe.ts';
import { type Answer, afterThisTest, StartedHost, standInGateway, temporaryFolder } from './support.ts';

const away = { manypath: 'host', protocol: controlProtocol, gateway: 'away', hello: null };
const ready = { manypath: 'host', protocol: controlProtocol, gateway: 'ready' };
const notRunning = { code: 'MANYPATH_GATEWAY_NOT_RUNNING' };
const hello = {
  protocol: controlProtocol,
  version: '9.9.9',
  straightProxy: null,
  proxy: { host: '127.0.0.1', port: 1 },
};

async function startGateway(stateDir: string): Promise<Gateway> {
  const gateway = await Gateway.start({ listen: { host: '127.0.0.1', port: 0 }, stateDir });
  afterThisTest(() => gateway.close());
  return gateway;
}

/** A stand-in that says who it is, and leaves the rest to `answer`. */
const polite =
  (answer: Answer): Answer =>
  (request, socket) =>
    request.method === 'hello' ? { id: request.id, result: hello } : answer(request, socket);

describe('the native host', () => {
  it('tells that the gateway is there, and carries requests to it and replies back', async () => {
    const stateDir = temporaryFolder();
    await startGateway(stateDir);
    const host = new StartedHost(stateDir);
    expect(await host.next()).toMatchObject(ready);
    host.send({ id: 7, method: 'status' });
    expect(await host.next()).toMatchObject({ id: 7, result: { totals: { opened: 0 }, relay: null } });
    host.send({ id: 0, method: 'dance' });
    expect(await host.next()).toMatchObject({ id: 0, error: { code: 'MANYPATH_CONTROL_REQUEST' } });
  });

  it('tells who the gateway is', async () => {
    const stateDir = temporaryFolder();
    await standInGateway(
      stateDir,
      polite(({ id, ...rest }) => ({ id, result: rest })),
    );
    const host = new StartedHost(stateDir);
    expect(await host.next()).toMatchObject({ ...ready, hello });
    host.send({ id: 1, method: 'configure', params: { listen: '127.0.0.1:1' }, more: 'is not carried' });
    expect(await host.next()).toEqual({
      id: 1,
      result: { method: 'configure', params: { listen: '127.0.0.1:1' } },
    });
  });

  it('says nothing of a gateway that does not say who it is, but that it is there', async () => {
    const stateDir = temporaryFolder();
    const error = { code: 'MANYPATH_CONTROL_REQUEST', message: 'there is no method "hello"' };
    await standInGateway(stateDir, ({ id }) => ({ id, error }));
    expect(await new StartedHost(stateDir).next()).toMatchObject({ ...ready, hello: null });
  });

  it('tells that the gateway goes and comes back, again and again, and answers all the while', async () => {
    const stateDir = temporaryFolder();
    const host = new StartedHost(stateDir);
    expect(await host.next()).toMatchObject(away);
    for (let round = 0; round < 3; round++) {
      host.send({ id: 1, method: 'status' });
      expect(await host.next()).toMatchObject({ id: 1, error: notRunning });
      const gateway = await startGateway(stateDir);
      expect(await host.next()).toMatchObject(ready);
      host.send({ id: 1, method: 'status' });
      expect(await host.next()).toMatchObject({ id: 1, result: {} });
      await gateway.close();
      expect(await host.next()).toMatchObject(away);
    }
  });

  it('finds a gateway in a state folder that was removed meanwhile', async () => {
    const stateDir = join(temporaryFolder(), 'state');
    const host = new StartedHost(stateDir);
    expect(await host.next()).toMatchObject(away);
    rmSync(stateDir, { recursive: true });
    await startGateway(stateDir);
    expect(await host.next()).toMatchObject(ready);
  });

  it('works with a state folder whose path is longer than a socket path may be', async () => {
    const stateDir = join(temporaryFolder(), 'a'.repeat(100), 'b'.repeat(100));
    const host = new StartedHost(stateDir);
    expect(await host.next()).toMatchObject(away);
    await startGateway(stateDir);
    expect(await host.next()).toMatchObject(ready);
    host.send({ id: 3, method: 'status' });
    expect(await host.next()).toMatchObject({ id: 3, result: {} });
  });

  it('answers what waits when the gateway goes', async () => {
    const stateDir = temporaryFolder();
    await standInGateway(
      stateDir,
      polite(({ id }, socket) => {
        if (id === 2) socket.destroy();
        return undefined;
      }),
    );
    const host = new StartedHost(stateDir);
    await host.next();
    host.send({ id: 1, method: 'overview' });
    host.send({ id: 2, method: 'overview' });
    expect(await host.next()).toMatchObject({ id: 1, error: notRunning });
    expect(await host.next()).toMatchObject({ id: 2, error: notRunning });
    expect(await host.next()).toMatchObject(away);
    expect(await host.next()).toMatchObject(ready);
  });

  it('gives the reason on when the gateway hangs up because of a request', async () => {
    const stateDir = temporaryFolder();
    await startGateway(stateDir);
    const host = new StartedHost(stateDir);
    await host.next();
    // More than a gateway takes in one request, and less than the host does.
    host.send({
      id: 5,
      method: 'configure',
      params: 'x'.repeat(nativeMessagingLimits.fromBrowserBytes - 1000),
    });
    const reply = await host.next();
    expect(reply).toMatchObject({
      id: 5,
      error: { code: expect.stringMatching(/^MANYPATH_(JSON_LINE|CON)/) },
    });
  });

  it('answers invalid messages with an error, and the next one as ever', async () => {
    const stateDir = temporaryFolder();
    await startGateway(stateDir);
    const host = new StartedHost(stateDir);
    await host.next();
    const invalid = { code: 'MANYPATH_NATIVE_MESSAGE_INVALID' };
    const frame = (text: string) => {
      const bytes = Buffer.from(`....${text}`);
      bytes.writeUInt32LE(bytes.length - 4);
      return bytes;
    };
    const wrong: [Uint8Array, number | null][] = [
      [frame('{"id":1'), null],
      [frame(''), null],
      [Uint8Array.of(3, 0, 0, 0, 0x22, 0xff, 0x22), null],
      [encodeNativeMessage(null), null],
      [encodeNativeMessage([1]), null],
      [encodeNativeMessage('status'), null],
      [encodeNativeMessage({ method: 'status' }), null],
      [encodeNativeMessage({ id: '1', method: 'status' }), null],
      [encodeNativeMessage({ id: 1.5, method: 'status' }), null],
      // The host's own requests have negative ids.
      [encodeNativeMessage({ id: -1, method: 'hello' }), -1],
      [encodeNativeMessage({ id: 4 }), 4],
      [encodeNativeMessage({ id: 4, method: 7 }), 4],
      [encodeNativeMessage({ id: 4, method: 'x'.repeat(1000) }), 4],
    ];
    for (const [bytes, id] of wrong) {
      host.write(bytes);
      expect(await host.next()).toMatchObject({ id, error: invalid });
    }
    host.send({ id: 9, method: 'status' });
    expect(await host.next()).toMatchObject({ id: 9, result: {} });
  });

  it('answers a message that is too long with an error, and skips it', async () => {
    const host = new StartedHost(temporaryFolder());
    await host.next();
    host.send({ id: 1, method: 'configure', params: 'x'.repeat(nativeMessagingLimits.fromBrowserBytes) });
    expect(await host.next()).toMatchObject({
      id: null,
      error: { code: 'MANYPATH_NATIVE_MESSAGE_TOO_LONG' },
    });
    host.send({ id: 2, method: 'status' });
    expect(await host.next()).toMatchObject({ id: 2, error: notRunning });
  });

  it('refuses a second request with the id of one that waits', async () => {
    const stateDir = temporaryFolder();
    await standInGateway(
      stateDir,
      polite(() => undefined),
    );
    const host = new StartedHost(stateDir);
    await host.next();
    host.send({ id: 1, method: 'overview' });
    host.send({ id: 1, method: 'overview' });
    expect(await host.next()).toMatchObject({ id: null, error: { code: 'MANYPATH_NATIVE_MESSAGE_INVALID' } });
  });

  it('replaces a reply that a browser would not take by an error', async () => {
    const stateDir = temporaryFolder();
    const overhead = JSON.stringify({ id: 1, result: '' }).length;
    const most = nativeMessagingLimits.toBrowserBytes - overhead;
    await standInGateway(
      stateDir,
      polite(({ id, params }) => ({ id, result: 'x'.repeat(params as number) })),
    );
    const host = new StartedHost(stateDir);
    await host.next();
    host.send({ id: 1, method: 'status', params: most });
    expect(await host.next()).toMatchObject({ id: 1, result: expect.stringMatching(/^x{1000}/) });
    host.send({ id: 1, method: 'status', params: most + 1 });
    expect(await host.next()).toMatchObject({ id: 1, error: { code: 'MANYPATH_NATIVE_MESSAGE_TOO_LONG' } });
  });

  it('carries events, and nothing that nobody asked for', async () => {
    const stateDir = temporaryFolder();
    await standInGateway(
      stateDir,
      polite(({ id }, socket) => {
        socket.write('null\n"text"\n{"id":99,"result":"of another"}\n{"event":"opened"}\n');
        return { id, result: null };
      }),
    );
    const host = new StartedHost(stateDir);
    await host.next();
    host.send({ id: 1, method: 'subscribe' });
    expect(await host.next()).toEqual({ event: 'opened' });
    expect(await host.next()).toEqual({ id: 1, result: null });
  });

  it('takes a gateway that does not speak the language for none', async () => {
    const stateDir = temporaryFolder();
    await standInGateway(stateDir, (_, socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n'));
    const host = new StartedHost(stateDir);
    expect(await host.next()).toMatchObject(away);
    host.send({ id: 1, method: 'status' });
    expect(await host.next()).toMatchObject({ id: 1, error: notRunning });
  });

  it('ends when the browser closes its end, also in the middle of a message', async () => {
    const stateDir = temporaryFolder();
    await startGateway(stateDir);
    for (const rest of [[], [9, 0], [9, 0, 0, 0, 123]]) {
      const host = new StartedHost(stateDir);
      await host.next();
      host.write(Uint8Array.from(rest));
      host.child.stdin?.end();
      expect(await host.exit).toBe(0);
    }
  });

  it('reads no more requests while the browser does not read replies', async () => {
    const stateDir = temporaryFolder();
    let asked = 0;
    await standInGateway(
      stateDir,
      polite(({ id }) => {
        asked++;
        return { id, result: 'x'.repeat(1000) };
      }),
    );
    const input = new PassThrough();
    const output = new PassThrough({ highWaterMark: 4000 });
    const host = new NativeHost({ stateDir, version: '0', input, output });
    for (let id = 0; id < 2000; id++) input.write(encodeNativeMessage({ id, method: 'overview' }));
    // It has come to rest when two rounds of everything that can happen bring nothing new.
    let before = -1;
    while (asked !== before) {
      before = asked;
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    expect(asked).toBeGreaterThan(0);
    expect(output.readableLength + output.writableLength).toBeLessThan(500_000);
    let bytes = 0;
    output.on('data', (piece: Uint8Array) => {
      bytes += piece.length;
    });
    while (asked < 2000 || bytes < 2_000_000) await new Promise(resolve => setTimeout(resolve, 5));
    input.end();
    await host.ended;
  });
});

describe('the native host of one browser', () => {
  it('is started by the manifest in its user data folder, for its gateway', async () => {
    const folder = join(temporaryFolder(), "it's a 'profile' $HOME");
    const stateDir = join(temporaryFolder(), 'state " of $(it)');
    mkdirSync(stateDir);
    await startGateway(stateDir);
    const written = writeNativeHost(folder, stateDir);
    expect(writeNativeHost(folder, stateDir)).toEqual(written);
    expect(written.manifest).toBe(join(folder, 'NativeMessagingHosts', 'org.manypath.host.json'));
    expect(statSync(written.wrapper).mode & 0o777).toBe(0o700);
    const manifest = JSON.parse(readFileSync(written.manifest, 'utf8')) as { path: string };
    expect(manifest).toMatchObject({
      name: 'org.manypath.host',
      type: 'stdio',
      allowed_origins: ['chrome-extension://fpceefpkbkmidmafhgoekijclnihghjb/'],
    });
    // The browser's environment may name another one.
    const host = new StartedHost('/nonexistent/state', [manifest.path]);
    expect(await host.next()).toMatchObject(ready);
    host.send({ id: 1, method: 'status' });
    expect(await host.next()).toMatchObject({ id: 1, result: {} });
  });
});
