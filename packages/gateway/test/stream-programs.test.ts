import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { afterThisTest, startGateway, temporaryFolder, until } from './support/scope.ts';
import { StreamClient } from './support/stream-client.ts';

const origin = 'https://app.example';

/** A gateway with one program, and a client of it. */
async function withProgram(...command: string[]) {
  const gateway = await startGateway({
    programs: { it: { command, origins: [origin] } },
    limits: { streamProgramEndMs: 300, streamProgramRetireMs: 300 },
  });
  return { gateway, client: await StreamClient.open(gateway) };
}

/** A shell that starts another program, and says the process ids of both. */
function family(folder: string, before = ':'): string[] {
  const script = `${before}; sleep 1000 & echo $$ $! > pids.part; mv pids.part pids; wait`;
  return ['/bin/sh', '-c', `cd '${folder}'; ${script}`];
}

async function pidsIn(folder: string): Promise<number[]> {
  const file = join(folder, 'pids');
  await until(() => existsSync(file));
  return readFileSync(file, 'utf8').trim().split(' ').map(Number);
}

function isAlive(pid: number): boolean {
  try {
    // A dead process that nobody has asked for is none.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

const areGone = (pids: readonly number[]) => until(() => !pids.some(isAlive));

describe('how a program ended', () => {
  it.each([
    ['well', 'exit 0', 'exit 0'],
    ['with a status', 'exit 7', 'exit 7'],
    ['by a crash', 'kill -SEGV $$', 'signal SIGSEGV'],
    ['by a signal', 'kill -KILL $$', 'signal SIGKILL'],
    ['having closed both ends before', 'exec <&- >&-; sleep 0.1; exit 5', 'exit 5'],
    ['leaving somebody behind who has its output', 'sleep 30 & exit 4', 'exit 4'],
  ])('is told at once, %s, though nobody closed its input', async (_, script, outcome) => {
    const { client } = await withProgram('/bin/sh', '-c', script);
    const stream = client.openProgram('it', origin);
    await client.next(stream, 'opened');
    expect(await client.next(stream, 'exit')).toMatchObject({ outcome });
    client.reset(stream);
  });

  it('is told before what it wrote, all of which comes when it is read', async () => {
    const { client } = await withProgram('/bin/sh', '-c', 'head -c 300000 /dev/zero; exit 3');
    const stream = client.openProgram('it', origin);
    await client.next(stream, 'data');
    // More has been written than fits without anybody reading: it waits for its reader.
    client.consumed(stream, 131_072);
    expect(await client.next(stream, 'exit')).toMatchObject({ outcome: 'exit 3' });
    client.consumed(stream, 300_000);
    await client.next(stream, 'finish');
  });

  it.each([
    ['is not there', ['/nowhere/at-all']],
    ['may not be run', ['/proc/version']],
    ['has a name that cannot be', ['a\0b']],
  ])('is a refusal when it %s', async (_, command) => {
    const { client } = await withProgram(...command);
    const stream = client.openProgram('it', origin);
    expect(await client.next(stream, 'reset')).toMatchObject({ reason: 'unreachable' });
  });
});

describe('a program ends, with what it has started,', () => {
  it('when its stream is broken off, also while it is started', async () => {
    const folder = temporaryFolder();
    const { client } = await withProgram(...family(folder));
    const stream = client.openProgram('it', origin);
    const pids = await pidsIn(folder);
    client.reset(stream);
    await areGone(pids);
    const marker = join(folder, 'ran');
    const quick = await withProgram('/bin/sh', '-c', `sleep 0.5; echo $$ >> '${marker}'`);
    quick.client.reset(quick.client.openProgram('it', origin));
    quick.client.together(() => quick.client.reset(quick.client.openProgram('it', origin)));
    // One that was started after them, and goes on, has come to its end.
    const last = quick.client.openProgram('it', origin);
    await quick.client.next(last, 'exit');
    expect(readFileSync(marker, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('when the browser goes away', async () => {
    const folder = temporaryFolder();
    const { client } = await withProgram(...family(folder));
    client.openProgram('it', origin);
    const pids = await pidsIn(folder);
    client.close();
    await areGone(pids);
  });

  it('when it takes no hint, by force', async () => {
    const folder = temporaryFolder();
    const { client } = await withProgram(...family(folder, "trap '' TERM"));
    const stream = client.openProgram('it', origin);
    const pids = await pidsIn(folder);
    client.reset(stream);
    await areGone(pids);
  });

  it('some time after the browser has closed it and gone, and not before it has handled its input', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out');
    const { client } = await withProgram(
      '/bin/sh',
      '-c',
      `cat > '${out}'; cd '${folder}'; echo $$ > pids.part; mv pids.part pids; exec sleep 1000`,
    );
    const stream = client.openProgram('it', origin);
    await client.next(stream, 'opened');
    client.send(stream, 'to be kept');
    client.finish(stream);
    client.stop(stream);
    client.close();
    await until(() => existsSync(out) && readFileSync(out, 'utf8') === 'to be kept');
    await areGone(await pidsIn(folder));
  });

  it('when the gateway is closed', async () => {
    const folder = temporaryFolder();
    const { gateway, client } = await withProgram(...family(folder, "trap '' TERM"));
    client.openProgram('it', origin);
    const pids = await pidsIn(folder);
    await gateway.close();
    await areGone(pids);
  });

  it('when the gateway is killed', async () => {
    const folder = temporaryFolder();
    const keeper = new URL('../dist/streams/program-keeper.js', import.meta.url).href;
    const leg = new URL('../dist/streams/program-leg.js', import.meta.url).href;
    const limits = { streamProgramEndMs: 300, streamProgramRetireMs: 300 };
    const script = `
      const [{ ProgramKeeper }, { startProgram }] = await Promise.all([import('${keeper}'), import('${leg}')]);
      const program = { command: ${JSON.stringify(family(folder, "trap '' TERM"))}, origins: [] };
      await startProgram(program, new ProgramKeeper(300), ${JSON.stringify(limits)}, new AbortController().signal);
      console.log('started');
      setInterval(() => {}, 1000);`;
    const gateway = spawn(process.execPath, ['--input-type=module', '-e', script], {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    afterThisTest(() => void gateway.kill('SIGKILL'));
    await once(gateway.stdout, 'data');
    const pids = await pidsIn(folder);
    gateway.kill('SIGKILL');
    await areGone(pids);
  });
});
