/** Builds the extension into `dist`, a folder that browsers load as it is. Run by the bootstrap after the compiler. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { extensionKey } from '@manypath/core';
import { build } from 'esbuild';

const room = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(room, 'dist');
const { version, description } = JSON.parse(readFileSync(join(room, 'package.json'), 'utf8'));

const manifest = {
  manifest_version: 3,
  name: 'Manypath',
  version,
  description,
  key: extensionKey,
  minimum_chrome_version: '124',
  permissions: ['proxy', 'nativeMessaging', 'storage'],
  background: { service_worker: 'background.js', type: 'module' },
  action: { default_popup: 'popup.html', default_title: 'Manypath' },
};

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
await build({
  absWorkingDir: room,
  entryPoints: ['src/background.ts', 'src/popup.ts'],
  outdir: target,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'chrome124',
  logLevel: 'warning',
});
cpSync(join(room, 'pages'), target, { recursive: true });
writeFileSync(join(target, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
