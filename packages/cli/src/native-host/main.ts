// The program that browsers start for the extension. Nobody waits for it longer than for the file it reads: it imports
// nothing that is not needed to move messages.
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { errorMessage } from '@manypath/core';
import { stateFolder } from '../state-folder.ts';
import { NativeHost } from './pipe.ts';

try {
  const host = new NativeHost({
    stateDir: stateFolder(process.env.MANYPATH_STATE || undefined),
    version: version(),
    input: process.stdin,
    output: process.stdout,
    byteOrder: endianness() === 'LE' ? 'little' : 'big',
  });
  await host.ended;
} catch (error) {
  // Browsers show this in their own log; stdout is for messages alone.
  process.stderr.write(`manypath: the native host cannot run: ${errorMessage(error)}\n`);
  process.exitCode = 1;
}
process.exit();

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
