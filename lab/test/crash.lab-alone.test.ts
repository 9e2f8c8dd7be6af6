import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Lab } from '@manypath/lab';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { identifyProcess } from '../src/process-identity.ts';
import { describeLab, until } from './support.ts';

const labModule = new URL('../dist/index.js', import.meta.url).href;

/** Runs a program that makes a lab, as others would: compiled, in plain Node. */
function program(body: string, argv: string[] = []) {
  const source = `import { Lab, requireOrReenter } from ${JSON.stringify(labModule)};\n${body}`;
  const [tool = '', ...rest] = [...argv, process.execPath, '--input-type=module', '-e', source];
  const child = spawn(tool, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text));
  const ended = new Promise<number | NodeJS.Signals | null>(resolve =>
    child.once('close', (code, signal) => resolve(code ?? signal)),
  );
  return { child, ended, stdout: () => stdout, stderr: () => stderr };
}

const traces = (name: string) =>
  ['/run/netns', '/etc/netns', '/run/manypath/labs']
    .filter(folder => existsSync(folder))
    .flatMap(folder => readdirSync(folder))
    .filter(entry => entry.includes(name));

const processAlive = (pid: number) => identifyProcess(pid) !== undefined;

describeLab('a lab whose owner is gone', () => {
  const makeLab = (name: string, then: string, persistent = false) => `
    const lab = await Lab.create({ name: '${name}', persistent: ${persistent}, links: [{ name: 'a', delayMs: 1 }, { name: 'b' }] });
    const child = lab.spawn('client', ['sleep', '600'], { stdio: 'ignore' });
    console.log(child.pid);
    ${then}`;

  test('after a crash the next sweep removes it with its processes', async () => {
    const owner = program(makeLab('crashed', 'setInterval(() => {}, 1000);'));
    await until(() => owner.stdout().includes('\n') || owner.stderr() !== '');
    const sleeper = Number(owner.stdout());
    expect(await Lab.sweep()).not.toContain('crashed');
    owner.child.kill('SIGKILL');
    await owner.ended;
    expect(traces('crashed').length).toBeGreaterThan(5);
    expect(processAlive(sleeper)).toBe(true);
    expect(await Lab.sweep()).toEqual(['crashed']);
    expect(traces('crashed')).toEqual([]);
    await until(() => !processAlive(sleeper));
    expect(await Lab.sweep()).toEqual([]);
  });

  test('after a clean exit nothing is left, even when nobody destroyed it', async () => {
    const owner = program(makeLab('careless', 'process.exit(3);'));
    expect(await owner.ended).toBe(3);
    expect(traces('careless')).toEqual([]);
    await until(() => !processAlive(Number(owner.stdout())));
  });

  test('a persistent lab stays until it is destroyed by name', async () => {
    const owner = program(makeLab('stays', 'process.exit();', true));
    expect(await owner.ended).toBe(0);
    onTestFinished(() => (Lab.list().includes('stays') ? Lab.attach('stays').destroy() : undefined));
    await Lab.sweep();
    const lab = Lab.attach('stays');
    expect((await lab.exec('client', ['getent', 'hosts', 'relay.lab'])).stdout).toContain('relay.lab');
    await lab.shape('a', { delayMs: 2 });
    await lab.destroy();
    expect(traces('stays')).toEqual([]);
  });
});

const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
/** A checkout below /root, or a machine without user namespaces, cannot be tried as another user. */
const whyNotNobody = (() => {
  const [tool = '', ...rest] = [...nobody, 'unshare', '--user', '--map-root-user', '--net', '--mount'];
  const read = `require('node:fs').readFileSync(${JSON.stringify(fileURLToPath(labModule))})`;
  const { status } = spawnSync(tool, [...rest, process.execPath, '-e', read]);
  return status === 0 ? undefined : 'others cannot read this checkout, or make user namespaces';
})();

describeLab('without root', () => {
  beforeEach(({ skip }) => skip(whyNotNobody !== undefined, whyNotNobody));

  test('a program is run again in namespaces of its own, where labs work', async () => {
    const script = `
      await requireOrReenter();
      const lab = await Lab.create({ links: [{ name: 'a', delayMs: 5 }, { name: 'b' }] });
      await lab.cut('b', 'blackhole');
      await lab.heal('b');
      const { stdout } = await lab.exec('client', ['getent', 'ahosts', 'origin.lab']);
      const mptcp = await lab.exec('origin', ['cat', '/proc/sys/net/mptcp/enabled']);
      await lab.destroy();
      console.log(JSON.stringify({ stdout, mptcp: mptcp.stdout.trim(), left: Lab.list(), arguments: process.argv.length }));
      process.exit(7);`;
    const before = traces('-client');
    const run = program(script, nobody);
    expect(await run.ended, run.stderr()).toBe(7);
    const said = JSON.parse(run.stdout());
    expect(said.stdout).toContain('10.77.102.2');
    expect(said).toMatchObject({ mptcp: '0', left: [] });
    expect(traces('-client')).toEqual(before);
  });

  test('without asking for that, it says that this is not permitted and what to do', async () => {
    const script = `await Lab.create().catch(error => console.log(error.code, error.hint));`;
    const run = program(script, nobody);
    expect(await run.ended, run.stderr()).toBe(0);
    expect(run.stdout()).toContain('MANYPATH_LAB_NOT_PERMITTED');
    expect(run.stdout()).toContain('sudo');
  });

  test('what a program that crashed left running ends with it', async () => {
    const script = `
      await requireOrReenter();
      const lab = await Lab.create();
      const child = lab.spawn('client', ['sleep', '601'], { stdio: 'ignore' });
      child.once('spawn', () => process.kill(process.pid, 'SIGKILL'));`;
    const run = program(script, nobody);
    expect(await run.ended, run.stderr()).toBe(137);
    const commands = readdirSync('/proc')
      .filter(entry => /^\d+$/.test(entry) && identifyProcess(Number(entry)) !== undefined)
      .map(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
    expect(commands.filter(command => command.includes('sleep\x301'))).toEqual([]);
  });

  test('signals reach the program inside', async () => {
    const script = `
      await requireOrReenter();
      process.once('SIGTERM', () => process.exit(9));
      console.log('up');
      setInterval(() => {}, 1000);`;
    const run = program(script, nobody);
    await until(() => run.stdout().includes('up') || run.stderr() !== '');
    run.child.kill('SIGTERM');
    expect(await run.ended, run.stderr()).toBe(9);
  });
});
