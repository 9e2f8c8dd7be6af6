import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostSettings } from './support/host-settings.ts';
import { manypathArguments, startManypath, temporaryFolder } from './support/manypath.ts';
import { asOrdinaryUser, ordinaryUser } from './support/ordinary-user.ts';
import { startLabRelay } from './support/relay.ts';
import { whyNoLab } from './support/requirements.ts';

const uid = ordinaryUser;

describe.skipIf(whyNoLab())(`a user without rights${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let lab: Lab;
  const folder = temporaryFolder();
  const socket = join(folder.path, 'helper.sock');
  beforeAll(async () => {
    chmodSync(folder.path, 0o777);
    lab = await Lab.create();
    await lab.startOrigin('origin');
  });
  afterAll(async () => {
    await lab.destroy();
    folder[Symbol.dispose]();
  });

  /** A command as that user. */
  const asUser = (command: readonly string[], helper = socket) =>
    asOrdinaryUser(command, folder.path, helper);

  const startHelper = (user: number) =>
    startManypath(
      [
        'helper',
        '--json',
        '--socket',
        socket,
        '--user',
        String(user),
        '--state',
        join(folder.path, 'helper'),
      ],
      command => lab.spawn('client', command),
    );

  const startUp = (name: string, helper?: string) =>
    startManypath(['up', '--json', '--listen', '127.0.0.1:0', '--state', join(folder.path, name)], command =>
      lab.spawn('client', asUser(command, helper)),
    );

  function inClient(command: string): string {
    return execFileSync('ip', ['netns', 'exec', lab.namespaces.client, ...command.split(' ')], {
      encoding: 'utf8',
    });
  }

  const settings = () => [inClient('ip rule'), inClient('ip mptcp endpoint'), inClient('ip mptcp limits')];

  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await sleep(20);
  }

  it('has paths set up by the helper while the gateway runs, and no longer', async () => {
    const before = settings();
    const helper = await startHelper(uid);
    const up = await startUp('served');
    expect(inClient('ip mptcp endpoint')).toContain(lab.addresses.clientB);
    await up.stop('SIGKILL');
    await until(() => inClient('ip mptcp endpoint') === before[1]);
    await helper.stop();
    expect(settings()).toEqual(before);
  });

  it('has all that was set up for it taken out when the last gateway ends, while the helper stays', async () => {
    const before = hostSettings(lab.namespaces.client);
    const helper = await startHelper(uid);
    const [one, other] = [await startUp('one'), await startUp('other')];
    await one.stop();
    expect(inClient('ip mptcp endpoint')).toContain(lab.addresses.clientB);
    await other.stop();
    await expect.poll(() => hostSettings(lab.namespaces.client)).toEqual(before);
    await helper.stop();
    expect(hostSettings(lab.namespaces.client)).toEqual(before);
  });

  it('shares the settings with a gateway of root, and each takes out its own', async () => {
    const before = hostSettings(lab.namespaces.client);
    const helper = await startHelper(uid);
    const asRoot = (state: string, ...flags: string[]) =>
      startManypath(
        ['up', '--json', '--listen', '127.0.0.1:0', '--state', join(folder.path, state), ...flags],
        command => lab.spawn('client', command),
      );
    // Beside a helper that nobody uses.
    const alone = await asRoot('root-alone');
    await alone.stop();
    expect(hostSettings(lab.namespaces.client)).toEqual(before);
    // Beside one that keeps paths for somebody.
    const served = await startUp('beside');
    const meanwhile = hostSettings(lab.namespaces.client);
    const root = await asRoot('root-beside');
    expect(hostSettings(lab.namespaces.client)).toEqual(meanwhile);
    await served.stop();
    await expect.poll(() => inClient('ip mptcp endpoint')).toContain(lab.addresses.clientB);
    await root.stop();
    expect(hostSettings(lab.namespaces.client)).toEqual(before);
    await helper.stop();
  });

  it('is told why it cannot start, also with a helper', async () => {
    const helper = await startHelper(uid);
    const up = await startUp('first');
    const { port } = up.ready.proxy as { port: number };
    for (const [state, code] of [
      ['second', 'MANYPATH_GATEWAY_LISTEN_FAILED'],
      ['first', 'MANYPATH_GATEWAY_RUNNING'],
    ] as const) {
      const words = ['up', '--listen', `127.0.0.1:${port}`, '--state', join(folder.path, state)];
      const failed = await lab.exec('client', asUser([...manypathArguments, ...words]), {
        allowFailure: true,
      });
      expect(failed.code).toBe(1);
      expect(failed.stderr).toContain(code);
      expect(failed.stderr).not.toContain('HELPER_GONE');
    }
    await up.stop();
    await helper.stop();
  });

  it('cannot keep sockets of all others left to user space', async () => {
    const helper = await startHelper(uid);
    const script = join(folder.path, 'greedy.mjs');
    writeFileSync(
      script,
      `import { connect } from 'node:net';
       const socket = connect(process.argv[2]);
       const ask = verb => socket.write(JSON.stringify({ id: 1, verb, version: 1 }) + '\\n');
       socket.on('data', () => setTimeout(() => ask('open-window'), 1));
       ask('hello');`,
    );
    const greedy = lab.spawn('client', asUser([process.execPath, script, socket]));
    let open = 0;
    const samples = 100;
    for (let sample = 0; sample < samples; sample += 1) {
      if (inClient('sysctl -n net.mptcp.pm_type').trim() === '1') open += 1;
      await sleep(20);
    }
    greedy.kill('SIGKILL');
    expect(open / samples).toBeLessThan(0.4);
    await helper.stop();
    expect(inClient('sysctl -n net.mptcp.pm_type').trim()).toBe('0');
  });

  it('cannot fill the memory of the helper, by asking without end and reading no answer', async () => {
    const helper = await startHelper(uid);
    const mebibytes = () => {
      const status = readFileSync(`/proc/${helper.child.pid}/status`, 'utf8');
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    };
    const flood = join(folder.path, 'flood.mjs');
    writeFileSync(
      flood,
      `import { connect } from 'node:net';
       const socket = connect(process.argv[2]).pause();
       const line = JSON.stringify({ id: 1, verb: 'hello', version: 1 }) + '\\n';
       for (let n = 0; n < 48; n += 1) socket.write(line.repeat(Math.ceil(1_048_576 / line.length)));`,
    );
    const patient = join(folder.path, 'patient.mjs');
    writeFileSync(
      patient,
      `import { connect } from 'node:net';
       const socket = connect(process.argv[2]);
       let answers = 0;
       const ask = () => socket.write(JSON.stringify({ id: answers, verb: 'hello', version: 1 }) + '\\n');
       socket.on('data', () => (++answers === 200 ? socket.end() : ask()));
       ask();`,
    );
    const before = mebibytes();
    const greedy = lab.spawn('client', asUser([process.execPath, flood, socket]));
    await expect.poll(mebibytes, { timeout: 10_000 }).not.toBe(before);
    for (const _ of [1, 2, 3]) await lab.exec('client', asUser([process.execPath, patient, socket]));
    expect(mebibytes() - before).toBeLessThan(64);
    greedy.kill('SIGKILL');
    await helper.stop();
  });

  it('leaves no trace in the helper, nor many lines, when it is not served', async () => {
    const helper = await startHelper(uid + 1);
    const open = () => readdirSync(`/proc/${helper.child.pid}/fd`).length;
    const script = join(folder.path, 'stranger.mjs');
    // Never reads, never closes.
    writeFileSync(
      script,
      `import { connect } from 'node:net';
       for (let n = 0; n < 300; n += 1) connect({ path: process.argv[2] }).on('error', () => {}).pause();
       setTimeout(() => {}, 60_000);`,
    );
    await sleep(100);
    const before = open();
    const stranger = lab.spawn('client', asUser([process.execPath, script, socket]));
    await expect.poll(() => helper.log(), { timeout: 10_000 }).toContain('turned away');
    await expect.poll(open, { timeout: 10_000 }).toBeLessThanOrEqual(before);
    await sleep(500);
    expect(open()).toBeLessThanOrEqual(before);
    expect(helper.log().split('turned away')).toHaveLength(2);
    stranger.kill('SIGKILL');
    await helper.stop();
  });

  it('gets nothing from a helper that serves others', async () => {
    const before = settings();
    const helper = await startHelper(uid + 1);
    const up = await startUp('unserved');
    expect(inClient('ip mptcp endpoint')).toBe(before[1]);
    expect(up.log()).toContain('does not serve this user');
    await up.stop();
    await helper.stop();
    expect(settings()).toEqual(before);
  });

  it('goes on without a helper, and doctor says what is missing', async () => {
    const up = await startUp('alone', join(folder.path, 'none.sock'));
    const { port } = up.ready.proxy as { port: number };
    const url = `http://${lab.addresses.origin}/bytes/1000`;
    const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--proxytunnel'];
    await lab.cut('a', 'blackhole');
    try {
      const sized = ['--output', '/dev/null', '--write-out', '%{size_download}'];
      const fetch = asUser(['curl', '--silent', '--fail', ...proxy, ...sized, '--max-time', '5', url]);
      for (const _ of [1, 2]) expect((await lab.exec('client', fetch)).stdout).toBe('1000');
    } finally {
      await lab.heal('a');
    }
    const doctor = [...manypathArguments, 'doctor', '--json', '--state', join(folder.path, 'alone')];
    const { code, stdout } = await lab.exec('client', asUser(doctor, join(folder.path, 'none.sock')), {
      allowFailure: true,
    });
    const { checks } = JSON.parse(stdout) as { checks: { id: string; ok: boolean; fix: string | null }[] };
    expect(code).toBe(1);
    expect(checks.find(({ id }) => id === 'rights')).toMatchObject({
      ok: false,
      fix: expect.stringContaining('manypath helper'),
    });
    await up.stop();
  });
});

describe.skipIf(whyNoLab())(`doctor${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let lab: Lab;
  const folder = temporaryFolder();
  beforeAll(async () => {
    lab = await Lab.create();
  });
  afterAll(async () => {
    await lab.destroy();
    folder[Symbol.dispose]();
  });

  interface Check {
    readonly id: string;
    readonly ok: boolean;
    readonly cause: string;
    readonly fix: string | null;
  }

  async function doctor(...flags: string[]): Promise<{ code: number | null; checks: Check[] }> {
    const command = [...manypathArguments, 'doctor', '--json', '--state', folder.path, ...flags];
    const { code, stdout } = await lab.exec('client', command, { allowFailure: true });
    return { code, checks: (JSON.parse(stdout) as { checks: Check[] }).checks };
  }

  const wrong = (checks: readonly Check[]) => checks.filter(({ ok }) => !ok).map(({ id }) => id);
  const inClient = (...command: string[]) => lab.exec('client', command);

  it('finds nothing wrong where nothing is', async () => {
    const { code, checks } = await doctor();
    expect(wrong(checks)).toEqual([]);
    expect(code).toBe(0);
  });

  it('finds strict reverse path filtering, and puts it right when asked to', async () => {
    await inClient('sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1');
    const { code, checks } = await doctor();
    expect(code).toBe(1);
    expect(wrong(checks)).toContain('rp-filter-a');
    expect(wrong((await doctor('--fix')).checks)).toEqual([]);
    await inClient('sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=0');
  });

  it('finds Multipath TCP switched off, and switches it on when asked to', async () => {
    await inClient('sysctl', '-qw', 'net.mptcp.enabled=0');
    expect(wrong((await doctor()).checks)).toContain('mptcp-enabled');
    expect(wrong((await doctor('--fix')).checks)).toEqual([]);
  });

  it('finds a path whose way to the relay loses Multipath TCP, and one that leads nowhere', async () => {
    const relay = await startLabRelay(lab, folder.path);
    const pairing = String(relay.ready.pairing);
    expect(wrong((await doctor('--relay', pairing)).checks)).toEqual([]);
    // What is wrong with this kernel is told once, and not again for each path.
    await inClient('sysctl', '-qw', 'net.mptcp.enabled=0');
    expect(wrong((await doctor('--relay', pairing)).checks)).toEqual(['mptcp-enabled']);
    await inClient('sysctl', '-qw', 'net.mptcp.enabled=1');
    await lab.cut('a', 'strip');
    await lab.cut('b', 'blackhole');
    const { checks } = await doctor('--relay', pairing);
    expect(checks.find(({ id }) => id === 'relay-a')?.cause).toContain('plain TCP');
    expect(checks.find(({ id }) => id === 'relay-b')?.cause).toContain('not reached');
    await relay.stop();
  });
});
