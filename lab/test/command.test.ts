import { expect, test } from 'vitest';
import { findTool, requireTool, runCommand } from '../src/command.ts';

test('a missing program is named with the package that brings it', () => {
  expect(findTool('sh')).toMatch(/\/sh$/);
  expect(findTool('no-such-program')).toBeUndefined();
  expect(() => requireTool('no-such-program')).toThrow(
    expect.objectContaining({
      code: 'MANYPATH_LAB_TOOL_MISSING',
      hint: expect.stringContaining('apt install no-such-program'),
    }),
  );
});

test('a command that cannot be started is an error, not an empty result', async () => {
  await expect(runCommand(['/no/such/program'])).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a command that does not read its input is judged by its exit code', async () => {
  const input = Buffer.alloc(1024 * 1024);
  expect(await runCommand(['true'], { input })).toMatchObject({ code: 0 });
});
