import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { connectHttp1, connectHttp2, http2To } from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { echoOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

const descriptors = () => readdirSync('/proc/self/fd').length;
const thisProcess = ['--pid', String(process.pid)];

/**
 * Lets this process open no more than `count` files; prlimit(1) of util-linux.
 *
 * @returns What gives it back what it had. Its helper is started before, since later no descriptor is left for that.
 */
function allowOnly(count: () => number): () => Promise<void> {
  const before = execFileSync('prlimit', [...thisProcess, '--nofile', '--noheadings', '--output', 'SOFT']);
  const restore = `read line; exec prlimit ${thisProcess.join(' ')} --nofile=${String(before).trim()}:`;
  const helper = spawn('sh', ['-c', restore], { stdio: ['pipe', 'ignore', 'ignore'] });
  const done = once(helper, 'exit');
  execFileSync('prlimit', [...thisProcess, `--nofile=${count()}:`]);
  return async () => {
    helper.stdin.end('now\n');
    await done;
  };
}

it.runIf(process.platform === 'linux')(
  'gets over a time without free descriptors',
  { timeout: 30_000 },
  async () => {
    const { pairing, relay } = await testRelay();
    const target = await echoOrigin();
    const session = await http2To(pairing);
    expect((await connectHttp2(session, pairing, target)).status).toBe(200);
    const before = descriptors();
    const restore = allowOnly(() => descriptors() + 20);
    onTestFinished(restore);
    const answers = await Promise.all(
      Array.from({ length: 60 }, () => connectHttp2(session, pairing, target).catch(() => undefined)),
    );
    expect(answers.filter(answer => answer?.status === 503).length).toBeGreaterThan(10);
    for (const answer of answers) answer?.stream.close(8);
    await eventually(() => relay.status().tunnels).toBe(1);
    await restore();
    await eventually(descriptors).toBe(before);
    expect((await connectHttp1(pairing, target)).status).toBe(200);
  },
);
