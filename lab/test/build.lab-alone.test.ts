import { existsSync, readdirSync } from 'node:fs';
import { Lab } from '@manypath/lab';
import { expect, test } from 'vitest';
import { describeLab, echoServer, labFor, reach, roundTrip } from './support.ts';

const namespacesOnThisMachine = () => (existsSync('/run/netns') ? readdirSync('/run/netns') : []);
const remainsOf = (name: string) =>
  ['/run/netns', '/run/manypath/labs', '/etc/netns']
    .filter(folder => existsSync(folder))
    .flatMap(folder => readdirSync(folder))
    .filter(
      entry => entry.startsWith(`mp${name}-`) || entry.startsWith(`${name}.`) || entry.startsWith(`.${name}`),
    );

describeLab('building a lab', () => {
  test('the client reaches relay and both origins by IPv4 and IPv6, over each link', async () => {
    const start = performance.now();
    const lab = await labFor();
    console.log(`set-up ${Math.round(performance.now() - start)} ms`);
    const { addresses } = lab;
    for (const role of ['relay', 'origin', 'originMptcp'] as const) {
      const port = await echoServer(lab, role);
      for (const host of [addresses[role], addresses[`${role}6`]]) {
        for (const device of ['a', 'b']) {
          const socket = await reach(lab, { host, port, device });
          expect(await roundTrip(socket, 2000), `${host} over ${device}`).toBeLessThan(2000);
        }
      }
    }
  });

  test('names of the servers resolve in every namespace', async () => {
    const lab = await labFor();
    for (const namespace of ['client', 'relay', 'origin-mptcp']) {
      const { stdout } = await lab.exec(namespace, ['getent', 'ahosts', 'origin-mptcp.lab']);
      expect(stdout).toContain(lab.addresses.originMptcp);
      expect(stdout).toContain(lab.addresses.originMptcp6);
    }
  });

  test('the first link has the better default route, as on a laptop', async () => {
    const lab = await labFor({
      links: [
        { name: 'wifi', device: 'wlan0' },
        { name: 'cell', device: 'wwan0' },
      ],
    });
    const { stdout } = await lab.exec('client', ['ip', 'route', 'show', 'default']);
    expect(stdout.split('\n')[0]).toContain('dev wlan0 metric 100');
    expect(stdout.split('\n')[1]).toContain('dev wwan0 metric 200');
    expect(lab.link('cell')).toMatchObject({ device: 'wwan0', address: lab.addresses.clientB });
  });

  test('the origin has no Multipath TCP, the other one has', async () => {
    const lab = await labFor();
    const enabled = async (role: 'origin' | 'originMptcp') =>
      (await lab.exec(role, ['cat', '/proc/sys/net/mptcp/enabled'])).stdout.trim();
    expect(await enabled('origin')).toBe('0');
    expect(await enabled('originMptcp')).toBe('1');
  });

  test('kernel parameters of single namespaces can be chosen', async () => {
    const lab = await labFor({ sysctls: { relay: { 'net.ipv4.tcp_wmem': '4096 131072 33554432' } } });
    const read = async (role: 'relay' | 'client') =>
      (await lab.exec(role, ['cat', '/proc/sys/net/ipv4/tcp_wmem'])).stdout.split(/\s+/)[2];
    expect(await read('relay')).toBe('33554432');
    expect(await read('client')).not.toBe('33554432');
  });

  test('labs stand side by side with the same addresses, and each ends alone', async () => {
    const [one, two] = await Promise.all([labFor(), labFor()]);
    expect(one.addresses).toEqual(two.addresses);
    const port = await echoServer(two);
    await expect(reach(one, { port })).rejects.toThrow(/REFUSED/);
    await one.destroy();
    expect(await roundTrip(await reach(two, { port }), 2000)).toBeLessThan(2000);
    expect(Lab.list()).toContain(two.name);
    expect(Lab.list()).not.toContain(one.name);
  });

  test('nothing is left of a lab that was destroyed, and destroying it again is no error', async () => {
    const lab = await labFor({ links: [{ name: 'a', delayMs: 5 }, { name: 'b' }] });
    const child = lab.spawn('client', ['sleep', '600']);
    expect(remainsOf(lab.name).length).toBeGreaterThan(5);
    const start = performance.now();
    await lab.destroy();
    console.log(`tear-down ${Math.round(performance.now() - start)} ms`);
    expect(remainsOf(lab.name)).toEqual([]);
    expect(child.exitCode ?? child.signalCode).not.toBeNull();
    await lab.destroy();
  });

  test('a name is given once, and a failed attempt leaves the lab that has it alone', async () => {
    const lab = await labFor({ name: 'taken' });
    await expect(Lab.create({ name: 'taken' })).rejects.toMatchObject({ code: 'MANYPATH_LAB_NAME_TAKEN' });
    expect((await lab.exec('client', ['true'])).code).toBe(0);
  });

  test.each([
    { name: '../x' },
    { name: 'UPPER' },
    { links: [{ name: 'a' }] },
    { links: [{ name: 'a' }, { name: 'much-too-long-a-name' }] },
    { links: [{ name: 'a', rateMbit: -1 }, { name: 'b' }] },
    { links: [{ name: 'a', delayMs: Number.NaN }, { name: 'b' }] },
    { links: [{ name: 'a', device: 'lo' }, { name: 'b' }] },
    { congestion: 'no-such' },
    { sysctls: { client: { 'kernel.panic': '1' } } },
    { sysctls: { client: { 'net.ipv4../../../x': '1' } } },
  ])('options that cannot be taken leave nothing: %j', async options => {
    const before = namespacesOnThisMachine();
    const labs = Lab.list();
    await expect(Lab.create(options)).rejects.toMatchObject({ code: 'MANYPATH_LAB_OPTION_INVALID' });
    expect(Lab.list().filter(lab => !labs.includes(lab))).toEqual([]);
    expect(
      namespacesOnThisMachine().filter(name => !before.includes(name) && name.endsWith('-client')),
    ).toEqual([]);
  });

  test('another process finds a lab by its name, and what it changes holds for all', async () => {
    const lab = await labFor({ name: 'shared' });
    const attached = Lab.attach('shared');
    await attached.cut('a', 'admin');
    expect(Lab.attach('shared').link('a').faults).toEqual(['admin']);
    await attached.heal('a');
    expect((await lab.exec('client', ['ip', '-br', 'link', 'show', 'dev', 'a'])).stdout).toContain(
      'LOWER_UP',
    );
    await Promise.all([
      lab.shape('a', { rateMbit: 7 }),
      attached.shape('b', { rateMbit: 9 }),
      lab.cut('a', 'strip'),
    ]);
    expect(lab.links.map(link => link.shape.rateMbit)).toEqual([7, 9]);
    expect(attached.link('a').faults).toEqual(['strip']);
    expect(() => Lab.attach('nowhere')).toThrow(expect.objectContaining({ code: 'MANYPATH_LAB_UNKNOWN' }));
  });
});

describeLab('commands in a namespace', () => {
  test('their output and exit code come back', async () => {
    const lab = await labFor();
    const script = 'cat; echo oops >&2; exit 3';
    const result = await lab.exec('client', ['sh', '-c', script], { input: 'in', allowFailure: true });
    expect(result).toEqual({ code: 3, signal: null, stdout: 'in', stderr: 'oops\n' });
    await expect(lab.exec('client', ['sh', '-c', script])).rejects.toMatchObject({
      code: 'MANYPATH_LAB_COMMAND_FAILED',
      failure: { code: 3, stderr: 'oops\n' },
    });
    expect(() => lab.link('c')).toThrow(expect.objectContaining({ code: 'MANYPATH_LAB_UNKNOWN' }));
    await expect(lab.exec('nowhere', ['true'])).rejects.toMatchObject({ code: 'MANYPATH_LAB_UNKNOWN' });
  });

  test('a timeout or a signal ends them with all their children', async () => {
    const lab = await labFor();
    const slow = ['sh', '-c', 'sleep 600 & sleep 600'];
    await expect(lab.exec('client', slow, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'MANYPATH_LAB_TIMEOUT',
    });
    const reason = new Error('enough');
    await expect(lab.exec('client', slow, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const running = lab.exec('client', slow, { signal: controller.signal });
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    const { stdout } = await lab.exec('router', ['ip', 'netns', 'pids', lab.namespaces.client]);
    expect(stdout).toBe('');
  });

  test('programs that were started end with the lab, even those that will not', async () => {
    const lab = await labFor();
    const stubborn = lab.spawn('client', ['sh', '-c', 'trap "" TERM; sleep 600 & echo up; wait; sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise(resolve => stubborn.stdout?.once('data', resolve));
    const ended = new Promise(resolve => stubborn.once('exit', (_, signal) => resolve(signal)));
    await lab.destroy();
    expect(await ended).toBe('SIGKILL');
  });
});
