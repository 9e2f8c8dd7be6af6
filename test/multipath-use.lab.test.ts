import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { StatusDocument } from '@manypath/core';
import { Lab } from '@manypath/lab';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  manypathArguments,
  type RunningManypath,
  startManypath,
  temporaryFolder,
} from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

/** An ordinary user: nobody. */
const uid = '65534';
const rateMbit = 20;

type User = 'root' | 'a user with the helper' | 'a user without rights';
const users: readonly User[] = ['root', 'a user with the helper', 'a user without rights'];

const why = whyNoLab();
describe.skipIf(why)(`how the paths are used${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let rounds = 0;
  const folder = temporaryFolder();
  const running: RunningManypath[] = [];

  beforeAll(async () => {
    chmodSync(folder.path, 0o777);
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit },
        { name: 'b', rateMbit },
      ],
    });
    await Promise.all([lab.startOrigin('origin'), lab.startOrigin('originMptcp')]);
  });
  afterEach(async () => {
    for (const one of running.splice(0).reverse()) await one.stop();
    await switchMultipath('client', true);
    await switchMultipath('relay', true);
    for (const { name } of lab.links) await lab.heal(name);
  });
  afterAll(async () => {
    await lab.destroy();
    folder[Symbol.dispose]();
  });

  const switchMultipath = (role: 'client' | 'relay', on: boolean) =>
    lab.exec(role, ['sysctl', '-qw', `net.mptcp.enabled=${on ? 1 : 0}`]);

  async function start(role: 'client' | 'relay', command: readonly string[], words: readonly string[] = []) {
    const name = `${command[0]}-${++rounds}`;
    const state = ['--json', '--state', join(folder.path, name)];
    const started = await startManypath([...command, ...state], line => lab.spawn(role, [...words, ...line]));
    running.push(started);
    return { ...started, state: join(folder.path, name) };
  }

  const asUser = (helper: string) => [
    ...[
      'setpriv',
      '--reuid',
      uid,
      '--regid',
      uid,
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
    ],
    ...['env', `HOME=${folder.path}`, `MANYPATH_HELPER=${helper}`],
  ];

  async function startRelay(): Promise<RunningManypath> {
    return start('relay', ['relay', '--listen', '8443', '--public', lab.addresses.relay, '--allow-private']);
  }

  /** A gateway of `user`, with the helper where that is meant. */
  async function startUp(user: User, relay?: RunningManypath, before: readonly string[] = []) {
    const socket = join(folder.path, `helper-${rounds}.sock`);
    if (user === 'a user with the helper') {
      await start('client', ['helper', '--socket', socket, '--user', uid]);
    }
    const through = relay === undefined ? [] : ['--relay', String(relay.ready.pairing)];
    const words = user === 'root' ? ['env', 'MANYPATH_HELPER=/nowhere'] : asUser(socket);
    const up = await start('client', ['up', '--listen', '0', ...through], [...words, ...before]);
    const { port } = up.ready.proxy as { port: number };
    return {
      log: up.log,
      ready: up.ready,
      async status(): Promise<StatusDocument> {
        const command = [...manypathArguments, 'status', '--json', '--state', up.state];
        return JSON.parse((await lab.exec('client', [...words, ...command])).stdout) as StatusDocument;
      },
      /** Fetches some bytes. @returns Bytes a second. */
      async fetch(bytes: number, host = lab.addresses.origin): Promise<number> {
        const form = [
          '--output',
          '/dev/null',
          '--write-out',
          '%{http_code} %{size_download} %{speed_download}',
        ];
        const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--max-time', '30'];
        const command = ['curl', '--silent', ...proxy, ...form, `http://${host}/bytes/${bytes}`];
        const { stdout } = await lab.exec('client', [...words, ...command], {
          allowFailure: true,
          timeoutMs: 40_000,
        });
        const [code, size, speed] = stdout.split(' ').map(Number);
        expect([code, size]).toEqual([200, bytes]);
        return speed ?? 0;
      },
    };
  }

  /** Waits for what status says of how the paths are used. */
  async function until(up: { status(): Promise<StatusDocument> }, reason: string): Promise<StatusDocument> {
    for (;;) {
      const status = await up.status();
      if (status.multipath.reason === reason) return status;
      await sleep(100);
    }
  }

  for (const user of users) {
    for (const route of ['through the relay', 'straight'] as const) {
      it(`is one path for ${user} while Multipath TCP is off in the kernel, ${route}, and both again after`, async () => {
        const relay = route === 'straight' ? undefined : await startRelay();
        await switchMultipath('client', false);
        const up = await startUp(user, relay);
        for (const _ of [1, 2, 3]) await up.fetch(100_000);
        const { multipath } = await up.status();
        expect(multipath).toMatchObject({ reason: 'switched-off', paths: [lab.links[0]?.device] });
        expect(up.ready.multipath).toMatchObject({ reason: 'switched-off' });
        await switchMultipath('client', true);
        const well =
          user === 'a user without rights' ? 'no-rights' : relay === undefined ? 'no-relay' : 'multipath';
        await until(up, well);
        await up.fetch(100_000);
        if (relay !== undefined) {
          await expect
            .poll(async () => (await up.status()).relay?.lanes.some(lane => lane.mptcp), {
              timeout: 10_000,
            })
            .toBe(true);
        }
        await switchMultipath('client', false);
        for (const _ of [1, 2, 3]) await up.fetch(100_000);
        expect((await up.status()).multipath.reason).toBe('switched-off');
      });
    }
  }

  it('is one path while it is off at the relay, which says so when it starts', async () => {
    await switchMultipath('relay', false);
    const relay = await startRelay();
    expect(relay.ready.multipath).toBe(false);
    await expect.poll(() => relay.log()).toContain('net.mptcp.enabled=1');
    const up = await startUp('root', relay);
    await up.fetch(100_000);
    await until(up, 'relay-plain');
    await expect.poll(() => up.log()).toContain('Multipath TCP is off at the relay');
  });

  it('is taken up by a relay that began without it, as soon as it is on: no tunnel is lost', async () => {
    await switchMultipath('relay', false);
    const relay = await startRelay();
    const up = await startUp('root', relay);
    await up.fetch(100_000);
    await until(up, 'relay-plain');
    const running = up.fetch(20_000_000);
    await switchMultipath('relay', true);
    await expect.poll(() => relay.log(), { timeout: 10_000 }).toContain('may use all their paths');
    await running;
    await until(up, 'multipath');
  });

  it.each([
    ['kernel-without-mptcp', '93'],
    ['blocked', '1'],
  ])('is one path where the kernel says %s, with rights and a relay', async (reason, errno) => {
    const refuse = fileURLToPath(new URL('support/refuse-mptcp.mjs', import.meta.url));
    const up = await startUp('root', await startRelay(), [process.execPath, refuse, errno]);
    for (const _ of [1, 2]) await up.fetch(100_000);
    expect((await up.status()).multipath).toMatchObject({ reason, paths: [lab.links[0]?.device] });
  });

  it('is one path where it is removed on every way', async () => {
    const relay = await startRelay();
    for (const { name } of lab.links) await lab.cut(name, 'strip');
    const up = await startUp('root', relay);
    await up.fetch(100_000);
    await until(up, 'relay-plain');
  });

  it('is one path for a user without rights, who is told the one command', async () => {
    const up = await startUp('a user without rights', await startRelay());
    await up.fetch(100_000);
    expect((await up.status()).multipath).toMatchObject({
      reason: 'no-rights',
      command: 'sudo manypath helper',
    });
    expect((await up.status()).multipath.paths).toHaveLength(1);
    expect(up.ready.multipath).toMatchObject({ reason: 'no-rights' });
  });

  it('is both for a user with the helper: nearly twice the rate of one link', async () => {
    const up = await startUp('a user with the helper', await startRelay());
    const { multipath } = await until(up, 'multipath');
    expect(multipath.paths).toEqual(lab.links.map(({ device }) => device));
    let best = 0;
    for (let tries = 0; tries < 4 && best < 1.8 * 0.94; tries++) {
      best = Math.max(best, ((await up.fetch(16_000_000)) * 8) / 1e6 / rateMbit);
    }
    // Of 20 Mbit/s about 94 % are payload.
    expect(best).toBeGreaterThan(1.8 * 0.94);
  });
});
