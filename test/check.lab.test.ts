import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manypathArguments } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

interface Found {
  host: string;
  port: number;
  mptcp: boolean | null;
  paths: {
    path: string | null;
    address: string | null;
    mptcp: boolean | null;
    rttMs: number | null;
    reason: string;
    join: string | null;
  }[];
}

const why = whyNoLab();
describe.skipIf(why)(`manypath check${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let devices: string[];
  beforeAll(async () => {
    lab = await Lab.create({
      links: [
        { name: 'a', device: 'eth0', rateMbit: 100, delayMs: 5 },
        { name: 'b', device: 'wlan0', rateMbit: 100 },
      ],
    });
    await Promise.all([lab.startOrigin('origin'), lab.startOrigin('originMptcp')]);
    devices = lab.links.map(({ device }) => device);
  });
  afterAll(() => lab.destroy());

  async function check(parameters: string[], asUser = false) {
    const user = asUser ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
    const { code, stdout } = await lab.exec(
      'client',
      [...user, ...manypathArguments, 'check', ...parameters],
      { allowFailure: true, timeoutMs: 30_000 },
    );
    return { code, stdout };
  }

  async function found(place: string, asUser = false): Promise<Found> {
    const { code, stdout } = await check([place, '--json'], asUser);
    expect(code).toBe(0);
    return JSON.parse(stdout) as Found;
  }

  for (const port of [443, 80]) {
    it(`sees Multipath TCP and a join over every path, on port ${port}`, async () => {
      const { mptcp, paths, ...target } = await found(`origin-mptcp.lab:${port}`);
      expect(target).toEqual({ host: 'origin-mptcp.lab', port });
      expect(mptcp).toBe(true);
      expect(paths.map(({ path }) => path)).toEqual(devices);
      expect(paths).toMatchObject([
        { mptcp: true, join: 'works' },
        { mptcp: true, join: 'works' },
      ]);
      expect(paths[0]?.rttMs).toBeGreaterThan(9);
      expect(paths[1]?.rttMs).toBeLessThan(9);
    });
  }

  it('sees as a user without privileges what can be seen without', async () => {
    const { mptcp, paths } = await found('origin-mptcp.lab', true);
    expect(mptcp).toBe(true);
    expect(paths.map(({ path, join }) => ({ path, join }))).toEqual(
      devices.map(path => ({ path, join: 'unknown' })),
    );
  });

  it('says why a server is not multipath', async () => {
    const { mptcp, paths } = await found('origin.lab');
    expect(mptcp).toBe(false);
    expect(paths).toMatchObject([
      { mptcp: false, join: null, reason: expect.stringContaining('does not speak') },
      { mptcp: false, join: null, reason: expect.stringContaining('does not speak') },
    ]);
  });

  it('tells the path on which the option gets lost from the others', async () => {
    await lab.cut('b', 'strip');
    try {
      const { mptcp, paths } = await found('origin-mptcp.lab:80');
      expect(mptcp).toBe(true);
      expect(paths).toMatchObject([
        { mptcp: true, join: 'fails' },
        { mptcp: false, join: null },
      ]);
    } finally {
      await lab.heal('b');
    }
  });

  it('does not say of a server what this kernel cannot tell', async () => {
    const place = `${lab.addresses.originMptcp}:80`;
    await lab.exec('client', ['sysctl', '-qw', 'net.mptcp.enabled=0']);
    try {
      const { mptcp, paths } = await found(place);
      expect(mptcp).toBeNull();
      expect(paths).toMatchObject(
        devices.map(() => ({ mptcp: false, reason: expect.stringContaining('switched off here') })),
      );
      const { stdout } = await check([place]);
      expect(stdout).toContain('cannot be told');
      expect(stdout).not.toContain('does not speak Multipath TCP.');
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    } finally {
      await lab.exec('client', ['sysctl', '-qw', 'net.mptcp.enabled=1']);
    }
    expect((await found(place)).mptcp).toBe(true);
  });

  it('ends without a word when somebody cannot wait', async () => {
    for (const link of ['a', 'b']) await lab.cut(link, 'blackhole');
    try {
      const broken = ['timeout', '--preserve-status', '--signal', 'INT', '3'];
      const { code, stdout, stderr } = await lab.exec(
        'client',
        [...broken, ...manypathArguments, 'check', lab.addresses.originMptcp],
        { allowFailure: true, timeoutMs: 30_000 },
      );
      expect({ code, stdout, stderr }).toEqual({ code: 130, stdout: '', stderr: '' });
    } finally {
      for (const link of ['a', 'b']) await lab.heal(link);
    }
  });

  it('tells a path that is silent, and fits into 80 columns', async () => {
    await lab.cut('a', 'blackhole');
    try {
      const { code, stdout } = await check([lab.addresses.originMptcp]);
      expect(code).toBe(0);
      expect(stdout).toContain('speaks Multipath TCP');
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    } finally {
      await lab.heal('a');
    }
  });

  it('ends with 69 when nothing leads there', async () => {
    const { code, stdout } = await check([`${lab.addresses.origin}:9`]);
    expect(code).toBe(69);
    expect(stdout).toContain('cannot be reached');
  });
});
