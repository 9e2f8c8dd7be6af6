import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { whyNoLab } from '../../../test/support/requirements.ts';

const built = fileURLToPath(new URL('../dist/upkeep/journal-folder.js', import.meta.url));

describe.skipIf(whyNoLab())(
  `the folder of the helper's socket${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`,
  () => {
    it('is open to users, whatever the umask and whoever closed it before', () => {
      const call = `import { journalFolder } from ${JSON.stringify(built)}; journalFolder('/nowhere');`;
      const modes = 'stat -c %a /run/manypath /run/manypath/journal';
      const script = `mount -t tmpfs tmpfs /run && umask 077 && "$@" && ${modes} && chmod 700 /run/manypath && "$@" && ${modes}`;
      const node = [process.execPath, '--input-type=module', '--eval', call];
      const shown = execFileSync('unshare', ['--mount', 'sh', '-ec', script, 'sh', ...node], {
        encoding: 'utf8',
      });
      expect(shown.trim().split('\n')).toEqual(['755', '700', '755', '700']);
    });
  },
);
