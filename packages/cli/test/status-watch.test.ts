import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { CommandFolder, main } from './support/command.ts';

/** util-linux makes a terminal for a program. */
const script = ['/usr/bin/script', '/bin/script'].find(existsSync);
const enter = '\x1b[?1049h';
const leave = '\x1b[?1049l';

class Watching {
  readonly child: ChildProcess;
  output = '';

  constructor(folder: CommandFolder, [file = '', ...parameters]: readonly string[]) {
    this.child = spawn(file, parameters, { env: { ...folder.env, TERM: 'xterm' } });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
  }

  shows(text: string | RegExp): Promise<void> {
    return vi.waitFor(() => expect(this.output).toMatch(text), { timeout: 8000, interval: 20 });
  }

  async exit(): Promise<unknown> {
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return this.child.exitCode;
  }
}

describe.runIf(process.platform === 'linux')('manypath status --watch', () => {
  const onTerminal = (folder: CommandFolder) => {
    const command = `stty rows 20 cols 70; '${process.execPath}' '${main}' status --watch; echo "left with $?"; stty -a`;
    return new Watching(folder, [script ?? '', '-qfec', command, '/dev/null']);
  };

  for (const [name, key] of [
    ['q', 'q'],
    ['ctrl-C', '\x03'],
    ['Escape', '\x1b'],
  ] as const) {
    it.skipIf(script === undefined)(`draws until ${name}, and leaves the terminal as it was`, async () => {
      using folder = new CommandFolder();
      const stop = await folder.up();
      try {
        const watching = onTerminal(folder);
        await watching.shows('0 connections open');
        // Keys that begin with Escape are others.
        watching.child.stdin?.write('\x1bOQ');
        const drawn = watching.output.length;
        await vi.waitFor(() => expect(watching.output.length).toBeGreaterThan(drawn), 5000);
        watching.child.stdin?.write(key);
        await watching.shows('left with 0');
        await watching.shows(/[^-]icanon.*[^-]echo /s);
        expect(await watching.exit()).toBe(0);
        expect(watching.output.indexOf(enter)).toBe(watching.output.lastIndexOf(enter));
        expect(watching.output.lastIndexOf(leave)).toBeGreaterThan(watching.output.indexOf(enter));
        expect(watching.output.split('\x1b[?25h')).toHaveLength(2);
      } finally {
        await stop();
      }
    });
  }

  it.skipIf(script === undefined)('waits for a gateway that ended to come back', async () => {
    using folder = new CommandFolder();
    const stop = await folder.up();
    const watching = onTerminal(folder);
    await watching.shows('0 connections open');
    await stop();
    await watching.shows('The gateway has ended');
    const before = watching.output.length;
    const stopNext = await folder.up();
    await vi.waitFor(() => expect(watching.output.slice(before)).toContain('q leaves'), 5000);
    watching.child.kill('SIGTERM');
    watching.child.stdin?.write('q');
    await watching.exit();
    await stopNext();
  });

  it('prints a block a second where there is no terminal', async () => {
    using folder = new CommandFolder();
    const stop = await folder.up();
    const watching = new Watching(folder, [process.execPath, main, 'status', '--watch']);
    await watching.shows(/(0 connections open.*){2}/s);
    watching.child.kill('SIGINT');
    expect(await watching.exit()).toBe(0);
    expect(watching.output).not.toContain('\x1b');
    await stop();
  });

  it('prints a document a line with --json, and fails when the gateway ends', async () => {
    using folder = new CommandFolder();
    const stop = await folder.up();
    const watching = new Watching(folder, [process.execPath, main, 'status', '--watch', '--json']);
    await watching.shows(/\n.*\n/);
    await stop();
    expect(await watching.exit()).toBe(1);
    const lines = watching.output.trimEnd().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ connections: [], relay: null });
  });

  it('ends without a word when its reader does', async () => {
    using folder = new CommandFolder();
    const stop = await folder.up();
    const watching = new Watching(folder, [
      'sh',
      '-c',
      `'${process.execPath}' '${main}' status --watch --json | head -n 1`,
    ]);
    let errors = '';
    watching.child.stderr?.on('data', text => {
      errors += text;
    });
    expect(await watching.exit()).toBe(0);
    expect(errors).toBe('');
    await stop();
  });

  it('says that no gateway runs', () => {
    using folder = new CommandFolder();
    const { status, stderr } = folder.run('status', '--watch');
    expect(status).toBe(1);
    expect(stderr).toContain('[MANYPATH_GATEWAY_NOT_RUNNING]');
  });
});
