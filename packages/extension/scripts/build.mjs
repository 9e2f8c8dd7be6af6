/** Builds the extension into `dist`, a folder that browsers load as it is. Run by the bootstrap after the compiler. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { extensionKey } from '@manypath/core';
import { build } from 'esbuild';

const room = dirname(dirname(fileURLToPath(import.meta.url)));
const target = join(room, 'dist');
const { version, description } = JSON.parse(readFileSync(join(room, 'package.json'), 'utf8'));

const icons = { 16: 'icon-16.png', 32: 'icon-32.png', 128: 'icon-128.png' };

const manifest = {
  manifest_version: 3,
  name: 'Manypath',
  version,
  description,
  key: extensionKey,
  minimum_chrome_version: '130',
  permissions: [
    'proxy',
    'nativeMessaging',
    'storage',
    'activeTab',
    'scripting',
    'webNavigation',
    'downloads',
    'notifications',
  ],
  // For the one connection to the gateway, on loopback, that streams of web pages share.
  host_permissions: ['http://127.0.0.1/*', 'http://[::1]/*'],
  web_accessible_resources: [
    { resources: ['streams-frame.html', 'streams-frame.js'], matches: ['<all_urls>'], use_dynamic_url: true },
  ],
  // Pages cannot tell that it is there.
  content_scripts: [
    {
      matches: ['http://*/*', 'https://*/*'],
      js: ['streams-door.js'],
      all_frames: true,
      match_origin_as_fallback: true,
      run_at: 'document_start',
    },
  ],
  // So that frames come as they are to the script in a page that can have no frame; from Chromium 148 on.
  message_serialization: 'structured_clone',
  // Else a page with this policy could not embed the frame.
  cross_origin_embedder_policy: { value: 'require-corp' },
  cross_origin_opener_policy: { value: 'same-origin' },
  icons,
  background: { service_worker: 'background.js', type: 'module' },
  action: { default_popup: 'popup.html', default_title: 'Manypath', default_icon: icons },
  options_ui: { page: 'options.html', open_in_tab: true },
};

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
await build({
  absWorkingDir: room,
  entryPoints: [
    'background',
    'streams-door',
    'pages/popup',
    'pages/options',
    'pages/dashboard',
    'pages/consent',
    'pages/streams-frame',
  ].map(name => ({
    in: `src/${name}.ts`,
    out: basename(name),
  })),
  outdir: target,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'chrome124',
  logLevel: 'warning',
});
cpSync(join(room, 'pages'), target, { recursive: true });
const { resolve } = createRequire(import.meta.url);
cpSync(join(dirname(resolve('uplot/package.json')), 'dist/uPlot.min.css'), join(target, 'uPlot.min.css'));
writeFileSync(join(target, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
