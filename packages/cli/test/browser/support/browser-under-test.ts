import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, type BrowserContext, chromium } from 'playwright-core';
import type { HostNamespace } from './host-namespace.ts';

/** Flags that keep the browser quiet in a test; nothing that touches what is tested. */
export const quietFlags = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-gpu',
];

export const browsePath = fileURLToPath(new URL('./browse-entry.mjs', import.meta.url));

/** How to launch a browser for a test. */
export interface LaunchOptions {
  readonly host: HostNamespace;
  /** `ordinary` is Chromium itself, without us. */
  readonly through: 'quiet namespace' | 'no isolation' | 'ordinary';
  readonly flags?: readonly string[];
  /** Not root, with the sandbox of the browser on. */
  readonly user?: { readonly uid: number; readonly home: string };
}

/** Launches Chromium through Playwright; for `manypath browse` it drives that by `executablePath`. */
export function launch(options: LaunchOptions): Promise<Browser> {
  return chromium.launch(playwrightOptions(options));
}

/** As {@link launch}, with a profile that belongs to the user the browser runs as. */
export function launchWithProfile(options: LaunchOptions, folder: string): Promise<BrowserContext> {
  return chromium.launchPersistentContext(folder, playwrightOptions(options));
}

function playwrightOptions({ host, through, flags = [], user }: LaunchOptions) {
  return {
    executablePath: launcher(host, through, user),
    args: [...quietFlags, ...flags],
    chromiumSandbox: user !== undefined,
    headless: true,
    timeout: 30_000,
  };
}

/** A script that takes the place of the browser's own program. */
function launcher(
  host: HostNamespace,
  through: LaunchOptions['through'],
  user: LaunchOptions['user'],
): string {
  const file = join(host.folder, `launch-${Math.random().toString(36).slice(2)}`);
  const state = join(host.folder, 'state');
  mkdirSync(state, { recursive: true });
  chmodSync(state, 0o777);
  const isolation = through === 'no isolation' ? ['--no-isolate'] : [];
  const command =
    through === 'ordinary'
      ? ['/usr/bin/chromium']
      : [process.execPath, browsePath, '--state', state, ...isolation, '--'];
  const words = [...host.inside(user), ...command].map(word => `'${word.replaceAll("'", "'\\''")}'`);
  writeFileSync(file, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

/** Writes key.pem and cert.pem, self-made, into a folder. */
export function makeCertificate(folder: string): void {
  const subject = ['-subj', '/CN=origin.test', '-addext', 'subjectAltName=DNS:origin.test,DNS:public.test'];
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    `${folder}/key.pem`,
  ];
  const files = ['-out', `${folder}/cert.pem`, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...key, ...files, ...subject], { stdio: 'ignore' });
}
