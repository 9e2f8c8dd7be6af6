import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url));

it('several benchmarks run one after the other, also when one fails', () => {
  const impossible = ['--links', '0/0', '--delay', '0/0', '--bytes', '1'];
  const { status, stderr } = spawnSync(
    process.execPath,
    [main, 'promotion', 'promotion', '--quick', ...impossible],
    {
      encoding: 'utf8',
    },
  );
  expect(stderr.match(/^bench: promotion failed$/gm)).toHaveLength(2);
  expect(status).toBe(1);
});
