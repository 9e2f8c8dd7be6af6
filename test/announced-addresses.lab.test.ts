import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parsePairing } from '@manypath/core';
import { Lab, type Role } from '@manypath/lab';
import { connect } from '@manypath/mptcp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

/** What stands for a machine in the relay's own network: nobody but the relay could reach it. */
const inside = '10.66.0.9';
/** Long enough for the kernel to announce, and to try the address that was announced, which takes some 20 ms here. */
const patienceMs = 1500;

const skipped = whyNoLab();

describe.skipIf(skipped)(`announced addresses${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create({ links: [{ name: 'a' }, { name: 'b' }] });
    await lab.startOrigin('originMptcp');
    const watch = `table inet watch { chain out { type filter hook output priority 0; ip daddr ${inside} counter; }; }`;
    await lab.exec('relay', ['nft', '-f', '-'], { input: watch });
    for (const role of ['originMptcp', 'client'] as const) {
      // To announce a port the kernel has to listen there.
      await lab.exec(role, ['ip', 'address', 'add', `${inside}/32`, 'dev', 'lo']);
    }
    for (const role of ['relay', 'originMptcp', 'client'] as const) {
      await lab.exec(role, ['ip', 'mptcp', 'limits', 'set', 'subflows', '8', 'add_addr_accepted', '8']);
    }
  });
  afterAll(() => lab.destroy());

  /** Packets that the relay's host has sent to the inside address. */
  async function packets(): Promise<number> {
    const { stdout } = await lab.exec('relay', ['nft', 'list', 'table', 'inet', 'watch']);
    return Number(/packets (\d+)/.exec(stdout)?.[1]);
  }

  async function announcing<T>(role: Role, port: readonly string[], action: () => Promise<T>): Promise<T> {
    const endpoint = ['ip', 'mptcp', 'endpoint'];
    await lab.exec(role, [...endpoint, 'add', inside, 'id', '7', 'signal', ...port]);
    try {
      return await action();
    } finally {
      await lab.exec(role, [...endpoint, 'delete', 'id', '7']);
    }
  }

  async function startRelay(...user: string[]) {
    const state = temporaryFolder();
    if (user.length > 0) await lab.exec('relay', ['chown', '65534', state.path]);
    const place = ['--listen', '0.0.0.0:8443', '--public', lab.addresses.relay, '--allow-private'];
    const relay = await startManypath(['relay', '--json', ...place, '--state', state.path], command =>
      lab.spawn('relay', [...user, ...command], { cwd: '/' }),
    );
    return {
      pairing: String(relay.ready.pairing),
      log: relay.log,
      certificate: join(state.path, 'relay', 'cert.pem'),
      async [Symbol.asyncDispose]() {
        await relay.stop();
        state[Symbol.dispose]();
      },
    };
  }

  type TestRelay = Awaited<ReturnType<typeof startRelay>>;

  /** Has the relay keep a connection to the origin for a while, with bytes both ways. */
  async function useTarget({ pairing, certificate }: TestRelay): Promise<void> {
    const { secret } = parsePairing(pairing);
    const proxy = ['--proxy', `https://${lab.addresses.relay}:8443`, '--proxy-cacert', certificate];
    const url = `http://${lab.addresses.originMptcp}/bytes/300000`;
    const slowly = ['--limit-rate', '200k', '--proxytunnel', '--output', '/dev/null'];
    await lab.exec('client', ['curl', '--silent', '--fail', '--config', '-', ...proxy, ...slowly, url], {
      input: `proxy-user = "manypath:${secret}"\n`,
    });
  }

  for (const [what, user] of [
    ['as root', []],
    ['without rights', ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']],
  ] as const) {
    for (const port of [[], ['port', '9999']]) {
      const how = port.length > 0 ? ', with a port' : '';
      it(`of a target are not connected to by the relay ${what}${how}`, async () => {
        await using relay = await startRelay(...user);
        const before = await packets();
        await announcing('originMptcp', port, () => useTarget(relay));
        await sleep(patienceMs);
        expect(await packets()).toBe(before);
      });
    }
  }

  for (const port of [[], ['port', '9999']]) {
    it(`of a stranger are not connected to${port.length > 0 ? ', with a port' : ''}`, async () => {
      await using _relay = await startRelay();
      const before = await packets();
      await announcing('client', port, async () => {
        const socket = await lab.run('client', () => connect({ host: lab.addresses.relay, port: 8443 }));
        socket.on('error', () => {});
        socket.write('x');
        await sleep(patienceMs);
        socket.destroy();
      });
      expect(await packets()).toBe(before);
      const { stdout } = await lab.exec('relay', ['ip', 'mptcp', 'limits']);
      expect(stdout).toMatch(/add_addr_accepted 0 subflows 8/);
    });
  }

  it('are taken again as before when the relay has ended', async () => {
    await (await startRelay())[Symbol.asyncDispose]();
    const { stdout } = await lab.exec('relay', ['ip', 'mptcp', 'limits']);
    expect(stdout).toMatch(/add_addr_accepted 8 subflows 8/);
  });

  it('are warned of where the relay may not change that', async () => {
    await using relay = await startRelay('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups');
    expect(relay.log()).toContain('ip mptcp limits set add_addr_accepted 0');
  });
});
