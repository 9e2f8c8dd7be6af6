import { once } from 'node:events';
import { connect as tlsConnect } from 'node:tls';
import type { Logger } from '@manypath/core';
import { connect, info } from '@manypath/mptcp';
import { expect, it, onTestFinished } from 'vitest';
import { connectHttp1, connectHttp2, http2To } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

it('tells MPTCP clients from TCP clients', async () => {
  const { pairing, relay } = await testRelay();
  const open = async (mptcp: boolean) => {
    const socket = await connect({ ...pairing.address, mptcp });
    onTestFinished(() => void socket.destroy());
    const secure = tlsConnect({ socket, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    return info(socket).multipath;
  };
  const multipath = [await open(true), await open(false), await open(false)].filter(is => is).length;
  expect(relay.status()).toMatchObject({
    connections: 3,
    clients: 1,
    multipathConnections: multipath,
    plainConnections: 3 - multipath,
  });
});

it('counts the bytes of tunnels while they are open', async () => {
  const { pairing, relay } = await testRelay();
  const { stream } = await connectHttp2(await http2To(pairing), pairing, await echoOrigin());
  stream.write(Buffer.alloc(1000));
  await once(stream, 'data');
  expect(relay.status()).toMatchObject({ tunnels: 1, bytesFromClients: 1000, bytesFromTargets: 1000 });
});

it('tells of each host at the usual level of the log when asked to', async () => {
  const told: object[] = [];
  const logger: Logger = { debug() {}, info: fields => void told.push(fields), warn() {} };
  const { pairing } = await testRelay({ logger, logHosts: true });
  const target = await echoOrigin();
  await connectHttp1(pairing, target);
  expect(told).toContainEqual({ target });
});

for (const logHosts of [false, true]) {
  it(`${logHosts ? 'logs' : 'does not log'} hosts ${logHosts ? 'when asked to' : 'by default'}, and never the secret`, async () => {
    const lines: string[] = [];
    const line = (fields: object, message: string) => void lines.push(`${message} ${JSON.stringify(fields)}`);
    const logger: Logger = { debug: line, info: line, warn: line };
    const lookup = async (host: string) =>
      host === 'known.example' ? [{ address: '127.0.0.1', family: 4 }] : [];
    const { pairing, relay } = await testRelay({ logger, logHosts, lookup });
    const port = (await echoOrigin()).split(':')[1];
    await connectHttp1(pairing, `known.example:${port}`);
    await connectHttp1(pairing, 'unknown.example:80');
    await connectHttp1(pairing, 'known.example:80', { secret: 'guessed' });
    await relay.close(0);
    const text = lines.join('\n');
    expect(text).toContain('MANYPATH_RELAY_NAME_NOT_FOUND');
    expect(/\bknown\.example/.test(text)).toBe(logHosts);
    expect(/unknown\.example/.test(text)).toBe(logHosts);
    expect(text).not.toContain(pairing.secret);
    expect(text).not.toContain('guessed');
  });
}
