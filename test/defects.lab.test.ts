import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostSettings } from './support/host-settings.ts';
import { startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

/** Fails in the background of whatever program it is loaded into. */
const script = `
process.on('SIGUSR2', () => {
  for (let time = 0; time < 100; time += 1) Promise.reject(new Error('a promise nobody waits for'));
});
process.on('SIGWINCH', () => setTimeout(() => { throw new Error('nobody catches this'); }));
`;

describe.skipIf(whyNoLab())(`a defect${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let lab: Lab;
  const folder = temporaryFolder();
  const faulty = join(folder.path, 'faulty.mjs');
  beforeAll(async () => {
    writeFileSync(faulty, script);
    lab = await Lab.create();
    await lab.startOrigin('origin');
  });
  afterAll(async () => {
    await lab.destroy();
    folder[Symbol.dispose]();
  });

  const commands = {
    up: ['up', '--json', '--listen', '127.0.0.1:8118'],
    relay: ['relay', '--json', '--listen', '0.0.0.0:8443', '--allow-private'],
    helper: ['helper', '--json', '--socket', join(folder.path, 'helper.sock')],
  };

  for (const [name, command] of Object.entries(commands)) {
    it(`ends ${name} only if it leaves something half done, and then the host is as it was`, async () => {
      const before = hostSettings(lab.namespaces.client);
      const words = [...command, '--state', join(folder.path, name)];
      const daemon = await startManypath(words, started =>
        lab.spawn('client', ['env', `NODE_OPTIONS=--import=${faulty}`, ...started]),
      );
      const lines = (text: string) =>
        daemon
          .log()
          .split('\n')
          .filter(line => line.includes(text));
      daemon.child.kill('SIGUSR2');
      await expect.poll(() => lines('a promise nobody waits for')).toHaveLength(1);
      expect(daemon.child.exitCode).toBe(null);
      if (name === 'up') {
        const url = `http://${lab.addresses.origin}/bytes/1000`;
        const options = ['--silent', '--proxy', 'http://127.0.0.1:8118', '--write-out', '%{size_download}'];
        const { stdout } = await lab.exec('client', ['curl', ...options, '--output', '/dev/null', url]);
        expect(stdout).toBe('1000');
      }
      expect(await daemon.stop('SIGWINCH')).toBe(70);
      expect(lines('nobody catches this')).toHaveLength(1);
      expect(hostSettings(lab.namespaces.client)).toEqual(before);
    });
  }
});
