import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { describe, expect, it } from 'vitest';
import { hostSettings } from './support/host-settings.ts';
import { startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

const skipped = whyNoLab();

/** Where root's journal of the client's network namespace is. */
async function journalOf(lab: Lab): Promise<string> {
  const { stdout } = await lab.exec('client', ['readlink', '/proc/self/ns/net']);
  return join('/run/manypath/journal', `paths-${/\d+/.exec(stdout)?.[0]}.json`);
}

const setLimits = (lab: Lab, subflows: string, accepted: string) =>
  lab.exec('client', ['ip', 'mptcp', 'limits', 'set', 'subflows', subflows, 'add_addr_accepted', accepted]);

describe.skipIf(skipped)(`a network namespace${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  it('that has the inode of one that is gone gets none of its limits and settings', async () => {
    using folder = temporaryFolder();
    const up = (lab: Lab) =>
      startManypath(['up', '--json', '--listen', '127.0.0.1:0', '--state', folder.path], command =>
        lab.spawn('client', command),
      );
    const gone = await Lab.create();
    const kept = join(folder.path, 'journal');
    try {
      await setLimits(gone, '1', '1');
      await gone.exec('client', ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1']);
      await (await up(gone)).stop('SIGKILL');
      copyFileSync(await journalOf(gone), kept);
    } finally {
      await gone.destroy();
    }
    const lab = await Lab.create();
    try {
      await setLimits(lab, '5', '3');
      await lab.exec('client', ['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=2']);
      const before = hostSettings(lab.namespaces.client);
      // The kernel gives the inode to the next namespace, whose turn that is.
      copyFileSync(kept, await journalOf(lab));
      await (await up(lab)).stop();
      expect(hostSettings(lab.namespaces.client)).toEqual(before);
      expect(existsSync(await journalOf(lab))).toBe(false);
    } finally {
      await lab.destroy();
    }
  });
});
