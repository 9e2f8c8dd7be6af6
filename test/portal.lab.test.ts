import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ControlClient } from '@manypath/gateway';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

/** A web server that gives every request the same answer, as a program of one line. */
function answering(port: number, status: number, headers: object): string[] {
  const answer = `(q, s) => s.writeHead(${status}, ${JSON.stringify(headers)}).end()`;
  return [
    process.execPath,
    '-e',
    `require('http').createServer(${answer}).listen(${port}, '0.0.0.0', () => console.log('ready'))`,
  ];
}

describe.skipIf(whyNoLab())(`a captive portal${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  const state = temporaryFolder();
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit: 20 },
        { name: 'b', rateMbit: 20 },
      ],
    });
    await start('origin', answering(8081, 204, {}));
    await start('router', answering(8080, 302, { location: 'http://login.example/' }));
  });
  afterAll(async () => {
    await lab?.destroy();
    state[Symbol.dispose]();
  });

  async function start(role: 'origin' | 'router', command: readonly string[]): Promise<void> {
    const child = lab.spawn(role, command, { stdio: ['ignore', 'pipe', 'ignore'] });
    if (child.stdout !== null) await once(child.stdout, 'data');
  }

  async function addressOn(device: string): Promise<string> {
    const { stdout } = await lab.exec('client', ['ip', '-4', '-json', 'address', 'show', 'dev', device]);
    return (JSON.parse(stdout) as { addr_info: { local: string }[] }[])[0]?.addr_info[0]?.local ?? '';
  }

  it('keeps new connections off its path, and the path is used again when the portal is gone', async () => {
    const [portal, free] = lab.links.map(({ device }) => device);
    const address = await addressOn(portal ?? '');
    await lab.exec('router', ['nft', 'add table ip portal']);
    await lab.exec('router', [
      'nft',
      'add chain ip portal before { type nat hook prerouting priority -100; }',
    ]);
    await lab.exec('router', [
      'nft',
      `add rule ip portal before ip saddr ${address} tcp dport 8081 redirect to :8080`,
    ]);
    const config = join(state.path, 'config.json');
    const portalCheck = `http://${lab.addresses.origin}:8081/generate_204`;
    writeFileSync(config, JSON.stringify({ probe: { portalCheck } }));
    const up = await startManypath(
      ['up', '--json', '--listen', '127.0.0.1:0', '--config', config, '--state', state.path],
      command => lab.spawn('client', command),
    );
    const client = await ControlClient.connect(state.path);
    const path = async (name: string | undefined) =>
      (await client.status()).paths.find(one => one.name === name);
    await expect.poll(async () => (await path(portal))?.health, { timeout: 5000 }).toBe('captive');
    expect((await path(portal))?.healthReason).toContain('login.example');
    expect((await path(portal))?.endpoint).toBe(false);
    expect((await path(free))?.health).toBe('up');

    const { port } = up.ready.proxy as { port: number };
    const statusOf = async (): Promise<string> => {
      const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--proxytunnel'];
      const show = ['-s', '-o', '/dev/null', '-w', '%{http_code}'];
      return (await lab.exec('client', ['curl', ...proxy, ...show, portalCheck])).stdout;
    };
    for (let connection = 0; connection < 6; connection++) expect(await statusOf()).toBe('204');

    await lab.exec('router', ['nft', 'delete table ip portal']);
    await expect.poll(async () => (await path(portal))?.health, { timeout: 8000 }).toBe('up');
    client.close();
    expect(await up.stop()).toBe(0);
  });
});
