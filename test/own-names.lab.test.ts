import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RunningManypath, startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

const why = whyNoLab();
describe.skipIf(why)(`names of this machine${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let rounds = 0;
  const folder = temporaryFolder();
  const hosts = join(folder.path, 'hosts');
  const running: RunningManypath[] = [];

  beforeAll(async () => {
    lab = await Lab.create();
    await Promise.all([lab.startOrigin('origin'), lab.startOrigin('originMptcp'), lab.startOrigin('client')]);
  });
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
  });
  afterAll(async () => {
    await lab.destroy();
    folder[Symbol.dispose]();
  });

  /** Writes the hosts file that only gateways of this test see. */
  const write = (...lines: string[]) =>
    writeFileSync(hosts, ['127.0.0.1 localhost', ...lines, ''].join('\n'));

  async function start(role: 'client' | 'relay' | 'origin', words: readonly string[], state?: string) {
    const where = ['--json', '--state', state ?? join(folder.path, String(++rounds))];
    const ownHosts = ['unshare', '-m', 'sh', '-c', `mount --bind ${hosts} /etc/hosts && exec "$@"`, 'sh'];
    const started = await startManypath([...words, ...where], command =>
      lab.spawn(role, role === 'client' ? [...ownHosts, ...command] : command),
    );
    running.push(started);
    return started;
  }

  const startRelay = (role: 'relay' | 'origin', host: string, state: string, ...more: string[]) =>
    start(role, ['relay', '--listen', '8443', '--public', host, ...more], state);

  async function startUp(...options: string[]) {
    const up = await start('client', ['up', '--listen', '0', ...options]);
    const { port } = up.ready.proxy as { port: number };
    /** @returns Status, and the seconds it took. */
    return async (url: string): Promise<{ code: number; seconds: number; text: string }> => {
      const form = ['--silent', '--write-out', '\n%{http_code} %{time_total}', '--max-time', '30'];
      const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--noproxy', ''];
      const { stdout } = await lab.exec('client', ['curl', ...form, ...proxy, url], {
        allowFailure: true,
        timeoutMs: 40_000,
      });
      const [figures = '', ...text] = stdout.split('\n').reverse();
      const [code = 0, seconds = 0] = figures.split(' ').map(Number);
      return { code, seconds, text: text.reverse().join('\n') };
    };
  }

  it('go before the relay: with a dot, aliases, IPv6, and as they are changed', async () => {
    write('127.0.0.1 myapp.test alias.test');
    const relay = await startRelay('relay', lab.addresses.relay, join(folder.path, 'first'));
    const get = await startUp('--relay', String(relay.ready.pairing));
    for (const name of ['myapp.test', 'alias.test', 'MYAPP.test']) {
      expect(await get(`http://${name}/bytes/10`)).toMatchObject({ code: 200 });
    }
    write('127.0.0.1 myapp.test', '::1 late.test');
    await expect
      .poll(async () => (await get('http://late.test/bytes/10')).code, { timeout: 10_000 })
      .toBe(200);
    // It is of this machine's network, and the relay may not dial it.
    write(`${lab.addresses.origin} behind.test`);
    await expect
      .poll(async () => (await get('http://behind.test/bytes/10')).code, { timeout: 10_000 })
      .toBe(200);
  });

  it('have connections go to another address of the relay at once when its name moves', async () => {
    const state = join(folder.path, 'moving');
    write(`${lab.addresses.relay} moving.test`);
    const first = await startRelay('relay', 'moving.test', state, '--allow-private');
    cpSync(state, `${state}-2`, { recursive: true });
    await startRelay('origin', 'moving.test', `${state}-2`, '--allow-private');
    const get = await startUp('--relay', String(first.ready.pairing));
    const url = `http://${lab.addresses.origin}/bytes/10`;
    expect((await get(url)).code).toBe(200);
    // The old place is silent from now on.
    const silence = 'table inet silence { chain in { type filter hook input priority 0; policy drop; }; }';
    await lab.exec('relay', ['nft', silence]);
    try {
      write(`${lab.addresses.origin} moving.test`);
      for (const target of [`http://${lab.addresses.originMptcp}/bytes/10`, url, url]) {
        const { code, seconds } = await get(target);
        expect(code).toBe(200);
        expect(seconds).toBeLessThan(8);
      }
    } finally {
      await lab.exec('relay', ['nft', 'delete', 'table', 'inet', 'silence']);
    }
  });

  it('have connections go straight while the relay is away, if that is wanted', async () => {
    write();
    const relay = await startRelay(
      'relay',
      lab.addresses.relay,
      join(folder.path, 'away'),
      '--allow-private',
    );
    const pairing = String(relay.ready.pairing);
    const [straight, refusing] = [
      await startUp('--relay', pairing, '--failover', 'straight'),
      await startUp('--relay', pairing),
    ];
    const url = `http://${lab.addresses.origin}/bytes/10`;
    expect((await straight(url)).code).toBe(200);
    await running.splice(0, 1)[0]?.stop();
    expect((await straight(url)).code).toBe(200);
    expect(await refusing(url)).toMatchObject({
      code: 502,
      text: expect.stringContaining('MANYPATH_RELAY_AWAY'),
    });
  });
});
