/** Builds the module that pages import: one file, nothing to install. Run by the bootstrap after the compiler. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

await build({
  absWorkingDir: dirname(dirname(fileURLToPath(import.meta.url))),
  entryPoints: ['src/index.ts'],
  outfile: 'dist/manypath-page.js',
  bundle: true,
  format: 'esm',
  target: 'chrome124',
  legalComments: 'none',
  sourcemap: true,
  logLevel: 'warning',
});
