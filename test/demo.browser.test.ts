import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Lab } from '@manypath/lab';
import { describe, expect, it } from 'vitest';
import { manypathArguments } from './support/manypath.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';

const reason = whyNoLab() ?? whyNoBrowser();
const run = promisify(execFile);

describe.skipIf(reason)(`manypath demo${reason ? ` (skipped: ${reason})` : ''}`, () => {
  it('downloads over one link and over both, survives the loss of a link, and leaves nothing behind', async () => {
    const [node = '', main = ''] = manypathArguments;
    const labsBefore = Lab.list();
    const { stdout } = await run(node, [main, 'demo', '--json', '--megabytes', '12']);
    const events = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>);
    const runs = events.filter(({ event }) => event === 'run');
    expect(runs.map(({ name }) => name)).toEqual(['one-link', 'both-links', 'address-lost', 'silently-dead']);
    for (const { exact, bytes, protocol } of runs) {
      expect({ exact, bytes, protocol }).toEqual({ exact: true, bytes: 12_000_000, protocol: 'h2' });
    }
    const result = events.at(-1);
    expect(result).toMatchObject({ event: 'result', survivedCut: true });
    expect(result?.combinedMbps).toBeGreaterThan(Number(result?.singleMbps));
    expect(Lab.list().filter(name => !labsBefore.includes(name))).toEqual([]);
  });
});
