import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manypathArguments, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

/** An ordinary user: nobody, who may call sudo in a mount namespace of this test, and nowhere else. */
const user = 'nobody';

describe.skipIf(whyNoLab())(
  `manypath up on the terminal of an ordinary user${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`,
  () => {
    let lab: Lab;
    const folder = temporaryFolder();
    beforeAll(async () => {
      chmodSync(folder.path, 0o777);
      lab = await Lab.create();
    });
    afterAll(async () => {
      await lab.destroy();
      folder[Symbol.dispose]();
    });

    /** A terminal of 80 columns, in which that user runs `up`; what they type is given beforehand. */
    class Terminal {
      readonly child: ChildProcess;
      shown = '';

      constructor(name: string, mayUseSudo: boolean) {
        const sudoers = join(folder.path, `sudoers-${name}`);
        const allowed = mayUseSudo ? `${user} ALL=(root) NOPASSWD: ALL` : 'root ALL=(ALL) ALL';
        // In a lab nobody answers who would know this machine's name: sudo would ask for ten seconds.
        writeFileSync(sudoers, `Defaults !fqdn\n${allowed}\n`, { mode: 0o440 });
        const environment = [`HOME=${folder.path}`, `MANYPATH_HELPER=${join(folder.path, `${name}.sock`)}`];
        const up = [
          ...manypathArguments,
          'up',
          '--listen',
          '127.0.0.1:0',
          '--state',
          join(folder.path, name),
        ];
        const asUser = `exec setpriv --reuid ${user} --regid nogroup --clear-groups env LC_ALL=C ${[...environment, ...up].join(' ')}`;
        const own = ['/usr/local/lib', '/etc/systemd/system'].map(
          place => `mount -t tmpfs -o mode=755 none ${place}`,
        );
        const inside = [`mount --bind ${sudoers} /etc/sudoers`, ...own, 'stty cols 80', asUser].join(' && ');
        // A shell that waits for it would say that Ctrl-C ended it, whatever the program says.
        const terminal = `exec unshare --mount sh -c '${inside}'`;
        this.child = lab.spawn(
          'client',
          ['script', '--quiet', '--return', '--command', terminal, '/dev/null'],
          {
            stdio: ['pipe', 'pipe', 'inherit'],
          },
        );
        this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
          this.shown += text;
        });
      }

      type(text: string): void {
        this.child.stdin?.write(text);
      }

      async shows(text: string): Promise<void> {
        while (!this.shown.includes(text)) {
          if (this.child.exitCode !== null) throw new Error(`it ended:\n${this.shown}`);
          await once(this.child.stdout ?? this.child, 'data');
        }
      }

      async interrupt(): Promise<number | null> {
        const ended = once(this.child, 'exit') as Promise<[number | null]>;
        this.type('\x03');
        return (await ended)[0];
      }
    }

    const endpoints = async () => (await lab.exec('client', ['ip', 'mptcp', 'endpoint'])).stdout;

    it('offers the helper, starts it after a yes, and both end together with the host as it was', async () => {
      const before = await endpoints();
      const terminal = new Terminal('yes', true);
      await terminal.shows('[n]o: ');
      expect(terminal.shown.split('\r\n').filter(line => line.length > 80)).toEqual([]);
      terminal.type('y\r');
      await terminal.shows('Proxy on');
      expect(await endpoints()).toContain(lab.addresses.clientB);
      expect(await terminal.interrupt()).toBe(0);
      while ((await endpoints()) !== before) await sleep(20);
      expect(existsSync(join(folder.path, 'yes', 'no-helper'))).toBe(false);
    });

    it('installs the helper after "always", and has it now too where systemd does not start it', async () => {
      const before = await endpoints();
      const terminal = new Terminal('always', true);
      await terminal.shows('[n]o: ');
      terminal.type('a\r');
      await terminal.shows('/etc/systemd/system/manypath-helper.service');
      await terminal.shows('Proxy on');
      expect(await endpoints()).toContain(lab.addresses.clientB);
      expect(await terminal.interrupt()).toBe(0);
      while ((await endpoints()) !== before) await sleep(20);
    });

    it('goes on after a no, and does not ask again', async () => {
      const first = new Terminal('no', true);
      await first.shows('[n]o: ');
      first.type('n\r');
      await first.shows('Proxy on');
      expect(await first.interrupt()).toBe(0);
      const second = new Terminal('no', true);
      await second.shows('Proxy on');
      expect(second.shown).not.toContain('[n]o');
      expect(await second.interrupt()).toBe(0);
    });

    it('says so when sudo does not let this user', async () => {
      const terminal = new Terminal('refused', false);
      await terminal.shows('[n]o: ');
      const ended = once(terminal.child, 'exit');
      terminal.type('y\r');
      // Who has no password to give closes the question.
      await terminal.shows('password');
      terminal.type('\x04');
      expect((await ended)[0]).toBe(1);
      expect(terminal.shown).toContain('[MANYPATH_HELPER_NOT_STARTED]');
    });
  },
);
