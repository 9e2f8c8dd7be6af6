import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostSettings } from './support/host-settings.ts';
import {
  manypathArguments,
  type RunningManypath,
  startManypath,
  temporaryFolder,
} from './support/manypath.ts';
import { asOrdinaryUser, ordinaryUser } from './support/ordinary-user.ts';
import { startLabRelay } from './support/relay.ts';
import { whyNoLab } from './support/requirements.ts';

const names = ['helper', 'relay', 'gateway'] as const;
type Name = (typeof names)[number];

/** Every order of three. */
const orders = names.flatMap(first =>
  names
    .filter(name => name !== first)
    .map(second => [first, second, names.find(name => name !== first && name !== second) ?? first] as const),
);

describe.skipIf(whyNoLab())(
  `programs that are killed${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`,
  () => {
    let lab: Lab;
    let before: Record<'client' | 'relay', object>;
    const folder = temporaryFolder();
    const socket = join(folder.path, 'helper.sock');
    const running = new Map<Name, RunningManypath>();
    let pairing: string;

    beforeAll(async () => {
      chmodSync(folder.path, 0o777);
      lab = await Lab.create();
      await lab.startOrigin('origin');
      await lab.exec('client', ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1']);
      before = { client: hostSettings(lab.namespaces.client), relay: hostSettings(lab.namespaces.relay) };
    });
    afterAll(async () => {
      await lab.destroy();
      folder[Symbol.dispose]();
    });

    const start: Record<Name, () => Promise<RunningManypath>> = {
      helper: () =>
        startManypath(
          [
            ...['helper', '--json', '--socket', socket, '--user', String(ordinaryUser)],
            ...['--state', join(folder.path, 'helper')],
          ],
          command => lab.spawn('client', command),
        ),
      relay: () => startLabRelay(lab, folder.path),
      gateway: () =>
        startManypath(
          [
            ...['up', '--json', '--listen', '127.0.0.1:8118', '--relay', pairing],
            ...['--state', join(folder.path, 'gateway')],
          ],
          command => lab.spawn('client', asOrdinaryUser(command, folder.path, socket)),
        ),
    };

    async function run(name: Name): Promise<void> {
      const program = await start[name]();
      if (name === 'relay') pairing = String(program.ready.pairing);
      running.set(name, program);
    }

    async function end(name: Name, signal: NodeJS.Signals): Promise<void> {
      const program = running.get(name);
      running.delete(name);
      await program?.stop(signal);
    }

    /** What a request through the gateway comes to. */
    async function request(): Promise<{ size: string; seconds: number }> {
      const proxy = ['--proxy', 'http://127.0.0.1:8118', '--proxytunnel', '--max-time', '5'];
      const written = ['--output', '/dev/null', '--write-out', '%{size_download} %{time_total}'];
      const url = `http://${lab.addresses.origin}/bytes/1000`;
      const command = asOrdinaryUser(['curl', '--silent', ...proxy, ...written, url], folder.path, socket);
      const { stdout } = await lab.exec('client', command, { allowFailure: true });
      const [size = '', seconds = ''] = stdout.split(' ');
      return { size, seconds: Number(seconds) };
    }

    const serves = () => expect.poll(async () => (await request()).size, { timeout: 15_000 }).toBe('1000');
    const settingsOf = (role: 'client' | 'relay') => hostSettings(lab.namespaces[role]);

    /** What holds at every moment, whoever lives. */
    async function check(): Promise<void> {
      if (running.has('gateway')) {
        if (running.has('relay')) await serves();
        // Without the relay it says so, and does not hang.
        else expect((await request()).seconds).toBeLessThan(4);
      }
      if (running.has('gateway') && running.has('helper')) {
        const endpoints = () => String(settingsOf('client').endpoints);
        await expect.poll(endpoints, { timeout: 15_000 }).toContain(lab.addresses.clientB);
      }
      // The helper has nobody left to do something for.
      if (!running.has('gateway') && running.has('helper')) {
        await expect.poll(() => settingsOf('client'), { timeout: 5000 }).toEqual(before.client);
      }
    }

    for (const order of orders) {
      it(`leave the others at work, and the host as it was at the next start at the latest: ${order.join(', ')}`, async () => {
        for (const name of ['helper', 'relay', 'gateway'] as const) await run(name);
        await check();
        for (const name of order) {
          await end(name, 'SIGKILL');
          await check();
        }
        // Started again in the same order, which is every order.
        for (const name of order) {
          await run(name);
          await check();
        }
        for (const name of [...order].reverse()) await end(name, 'SIGTERM');
        expect(settingsOf('client')).toEqual(before.client);
        expect(settingsOf('relay')).toEqual(before.relay);
      });
    }

    it('leave nothing in the namespace of the relay or of a gateway with rights after the next start', async () => {
      await run('relay');
      await end('relay', 'SIGKILL');
      await run('relay');
      await end('relay', 'SIGTERM');
      expect(settingsOf('relay')).toEqual(before.relay);
      const asRoot = (state: string) =>
        startManypath(
          ['up', '--json', '--listen', '127.0.0.1:0', '--state', join(folder.path, state)],
          command => lab.spawn('client', command),
        );
      await (await asRoot('one')).stop('SIGKILL');
      expect(settingsOf('client')).not.toEqual(before.client);
      // A helper that nobody asks for anything is a start like every other.
      await run('helper');
      expect(settingsOf('client')).toEqual(before.client);
      await end('helper', 'SIGTERM');
    });

    it('have what they left found by the doctor, and taken out when it is asked to', async () => {
      const state = join(folder.path, 'doctor');
      const killed = await startManypath(
        ['up', '--json', '--listen', '127.0.0.1:0', '--state', state],
        command => lab.spawn('client', command),
      );
      await killed.stop('SIGKILL');
      const doctor = async (...flags: string[]) => {
        const words = [...manypathArguments, 'doctor', '--json', '--state', state, ...flags];
        const { stdout } = await lab.exec('client', words, { allowFailure: true });
        const { checks } = JSON.parse(stdout) as { checks: { id: string; ok: boolean }[] };
        return checks.find(({ id }) => id === 'leftovers')?.ok;
      };
      expect(await doctor()).toBe(false);
      // Strict filtering, which the fix switches to loose for good, is not what this is about.
      await lab.exec('client', ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0']);
      expect(await doctor('--fix')).toBe(true);
      await lab.exec('client', ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1']);
      expect(settingsOf('client')).toEqual(before.client);
    });

    it('have the path manager of sockets put back by whatever starts next', async () => {
      const pathManager = async () =>
        (await lab.exec('client', ['sysctl', '-n', 'net.mptcp.pm_type'])).stdout.trim();
      const original = await pathManager();
      for (const next of ['helper', 'gateway as root'] as const) {
        const killed = await startManypath(
          ['up', '--json', '--listen', '127.0.0.1:0', '--state', join(folder.path, 'killed')],
          command => lab.spawn('client', command),
        );
        // What is left when it is killed between two lines.
        await killed.stop('SIGKILL');
        await lab.exec('client', ['sysctl', '-qw', 'net.mptcp.pm_type=1']);
        if (next === 'helper') {
          await run('helper');
          await end('helper', 'SIGTERM');
        } else {
          const up = await startManypath(
            ['up', '--json', '--listen', '127.0.0.1:0', '--state', join(folder.path, 'next')],
            command => lab.spawn('client', command),
          );
          expect(await pathManager()).toBe(original);
          await up.stop();
        }
        expect(settingsOf('client')).toEqual(before.client);
      }
    });
  },
);
