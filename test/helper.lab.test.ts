import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manypathArguments, startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

/** An ordinary user: nobody. */
const uid = 65_534;

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
  function asUser(command: readonly string[], helper = socket): string[] {
    const nobody = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--inh-caps=-all'];
    const environment = [`HOME=${folder.path}`, `MANYPATH_HELPER=${helper}`];
    return ['setpriv', ...nobody, '--bounding-set=-all', 'env', ...environment, ...command];
  }

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
    const place = ['--listen', '0.0.0.0:8443', '--public', lab.addresses.relay, '--allow-private'];
    const relay = await startManypath(
      ['relay', '--json', ...place, '--state', join(folder.path, 'relay')],
      command => lab.spawn('relay', command),
    );
    const pairing = String(relay.ready.pairing);
    expect(wrong((await doctor('--relay', pairing)).checks)).toEqual([]);
    await lab.cut('a', 'strip');
    await lab.cut('b', 'blackhole');
    const { checks } = await doctor('--relay', pairing);
    expect(checks.find(({ id }) => id === 'relay-a')?.cause).toContain('plain TCP');
    expect(checks.find(({ id }) => id === 'relay-b')?.cause).toContain('not reached');
    await relay.stop();
  });
});
