import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ControlClient, Gateway } from '../src/index.ts';
import { allOf, tunnelTo } from './support/client.ts';
import { closedPort, echoOrigin } from './support/origins.ts';
import { afterThisTest, startGateway, temporaryFolder, until } from './support/scope.ts';

const anyPort = { host: '127.0.0.1', port: 0 };

async function client(stateDir: string): Promise<ControlClient> {
  const connected = await ControlClient.connect(stateDir);
  afterThisTest(() => connected.close());
  return connected;
}

describe('the control socket', () => {
  it('tells the status', async () => {
    const stateDir = join(temporaryFolder(), 'made', 'by', 'the', 'gateway');
    const gateway = await startGateway({ stateDir });
    const origin = await echoOrigin();
    await tunnelTo(gateway.proxy, origin);
    const status = await (await client(stateDir)).status();
    expect(status).toMatchObject({
      paths: [],
      relay: null,
      totals: { connections: 1, opened: 1, failed: 0 },
    });
    expect(status.connections).toMatchObject([
      { id: 1, target: `127.0.0.1:${origin.port}`, dialect: 'connect', route: 'tcp', state: 'open' },
    ]);
    expect(status.connections[0]?.reason).toMatch(/Multipath/);
    expect(status.connections[0]?.subflows).toHaveLength(1);
  });

  it('remembers connections that did not come about, the last ones, and why', async () => {
    const stateDir = temporaryFolder();
    const gateway = await startGateway({ stateDir, limits: { failuresKept: 2 } });
    const port = await closedPort();
    for (const host of ['127.0.0.1', '127.0.0.2', '127.0.0.3'])
      await expect(tunnelTo(gateway.proxy, { host, port })).rejects.toThrow('502');
    expect(gateway.failures()).toMatchObject(
      ['127.0.0.2', '127.0.0.3'].map(host => ({
        target: `${host}:${port}`,
        code: expect.stringMatching(/^MPTCP_|^MANYPATH_/),
        reason: expect.stringMatching(/./),
      })),
    );
  });

  it('is for its user only', async () => {
    const stateDir = join(temporaryFolder(), 'state');
    await startGateway({ stateDir });
    expect(statSync(stateDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(stateDir, 'control.sock')).mode & 0o777).toBe(0o600);
  });

  it('asks the gateway to end', async () => {
    const stateDir = temporaryFolder();
    const gateway = await startGateway({ stateDir });
    expect(gateway.stopRequested.aborted).toBe(false);
    await (await client(stateDir)).stop();
    await until(() => gateway.stopRequested.aborted);
    await gateway.close();
    expect(existsSync(join(stateDir, 'control.sock'))).toBe(false);
    await expect(ControlClient.connect(stateDir)).rejects.toMatchObject({
      code: 'MANYPATH_GATEWAY_NOT_RUNNING',
    });
  });

  it('tells of connections that open and close', async () => {
    const stateDir = temporaryFolder();
    const gateway = await startGateway({ stateDir });
    const events: object[] = [];
    await (await client(stateDir)).subscribe(event => events.push(event));
    const origin = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, origin);
    socket.end('hello');
    await allOf(socket);
    await until(() => events.length === 2);
    expect(events).toMatchObject([
      { event: 'opened', connection: { id: 1, state: 'dialling' } },
      { event: 'closed', error: null, connection: { id: 1, bytesIn: 5, bytesOut: 5 } },
    ]);
  });

  it('refuses a second gateway with the same folder, and lets the first one be', async () => {
    const stateDir = temporaryFolder();
    await startGateway({ stateDir });
    await expect(Gateway.start({ stateDir, listen: anyPort })).rejects.toMatchObject({
      code: 'MANYPATH_GATEWAY_RUNNING',
    });
    await (await client(stateDir)).status();
  });

  it('explains a taken port by the gateway that has it', async () => {
    const stateDir = temporaryFolder();
    const gateway = await startGateway({ stateDir });
    await expect(Gateway.start({ stateDir, listen: gateway.proxy })).rejects.toMatchObject({
      code: 'MANYPATH_GATEWAY_RUNNING',
    });
  });

  it('replaces what a killed gateway left', async () => {
    const stateDir = temporaryFolder();
    mkdirSync(stateDir, { recursive: true });
    // A socket file whose owner is gone: made, and renamed so that closing does not remove it.
    const dead = createServer().listen(join(stateDir, 'dead.sock'));
    await once(dead, 'listening');
    renameSync(join(stateDir, 'dead.sock'), join(stateDir, 'control.sock'));
    dead.close();
    await startGateway({ stateDir });
    await (await client(stateDir)).status();
  });

  it('works in a folder whose path is longer than a socket path may be', async () => {
    const stateDir = join(temporaryFolder(), 'a'.repeat(100), 'b'.repeat(100));
    await startGateway({ stateDir });
    expect((await (await client(stateDir)).status()).totals.opened).toBe(0);
  });

  it('answers what it does not understand with an error, and garbage by hanging up', async () => {
    const stateDir = temporaryFolder();
    await startGateway({ stateDir });
    const path = join(stateDir, 'control.sock');
    const unknown = connect(path);
    unknown.end('{"id":7,"method":"dance"}\n{"id":8,"method":"status"}\n');
    const [first, second] = (await allOf(unknown)).toString().trim().split('\n');
    expect(JSON.parse(first ?? '')).toMatchObject({ id: 7, error: { code: 'MANYPATH_CONTROL_REQUEST' } });
    expect(JSON.parse(second ?? '')).toMatchObject({ id: 8, result: { relay: null } });
    const garbage = connect(path);
    garbage.write('this is no JSON\n');
    expect((await allOf(garbage)).toString()).toContain('MANYPATH_JSON_LINE_INVALID');
    const endless = connect(path);
    endless.on('error', () => {});
    endless.write('x'.repeat(300_000));
    expect((await allOf(endless)).toString()).toContain('MANYPATH_JSON_LINE_INVALID');
  });

  it('lets a client give up', async () => {
    await expect(
      ControlClient.connect(temporaryFolder(), { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      name: 'AbortError',
    });
  });
});

describe('a proxy port that is taken', () => {
  it('is an error that says so', async () => {
    const gateway = await startGateway();
    await expect(Gateway.start({ stateDir: temporaryFolder(), listen: gateway.proxy })).rejects.toMatchObject(
      {
        code: 'MANYPATH_GATEWAY_LISTEN_FAILED',
      },
    );
  });
});
