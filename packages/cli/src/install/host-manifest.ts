import { join } from 'node:path';
import { extensionId, nativeHostName } from '@manypath/core';
import { ownProgram } from '../own-files.ts';
import { hostFolder } from './browsers.ts';
import { ensureFolder, replaceFile } from './files.ts';
import { shellWord } from './quoting.ts';

/** File name of the manifest, as browsers look for it. */
export const manifestName = `${nativeHostName}.json`;

/** File name of the script that browsers start. */
export const wrapperName = 'manypath-native-host';

/** What a browser has to know of the host. @param program Absolute path of what it starts. */
export function hostManifest(program: string): string {
  const manifest = {
    name: nativeHostName,
    description: 'Manypath: multipath TCP for this browser',
    path: program,
    type: 'stdio',
    allowed_origins: [`chrome-extension://${extensionId}/`],
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** What a script starts, and which state folder that takes. */
export interface WrapperOptions {
  /** Absolute paths of Node and of the program that it runs. */
  readonly program: { readonly node: string; readonly nativeHost: string };
  /** `undefined`: the usual one. */
  readonly stateDir: string | undefined;
  /** Whether the folder is meant whatever the browser's environment says. */
  readonly always?: boolean;
}

/**
 * A script that starts the host: browsers take one path without parameters, and may not have this Node on theirs.
 * Should this Node go, as with a version manager, another one is taken.
 */
export function hostWrapper({ program, stateDir, always = false }: WrapperOptions): string {
  const state: string[] = [];
  if (stateDir !== undefined && always) state.push(`MANYPATH_STATE=${shellWord(stateDir)}`);
  else if (stateDir !== undefined) {
    state.push(`[ -n "\${MANYPATH_STATE-}" ] || MANYPATH_STATE=${shellWord(stateDir)}`);
  }
  if (state.length > 0) state.push('export MANYPATH_STATE');
  return [
    '#!/bin/sh',
    '# Starts the native messaging host of Manypath. Written by manypath, which removes it again.',
    ...state,
    `node=${shellWord(program.node)}`,
    '[ -x "$node" ] || node=node',
    `exec "$node" ${shellWord(program.nativeHost)} "$@"`,
    '',
  ].join('\n');
}

/**
 * Makes the host known to browsers that run with one user data folder, for one gateway.
 *
 * @param userDataDir The browser's `--user-data-dir`, absolute; made when it is missing. Both files are in its folder
 * `NativeMessagingHosts`.
 * @param stateDir State folder of the gateway, absolute; it holds whatever the browser's environment says.
 * @returns Absolute paths of what was written.
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function writeNativeHost(
  userDataDir: string,
  stateDir: string,
): { manifest: string; wrapper: string } {
  const folder = join(userDataDir, hostFolder);
  const wrapper = join(folder, wrapperName);
  const manifest = join(folder, manifestName);
  ensureFolder(folder, 0o700);
  replaceFile({
    path: wrapper,
    text: hostWrapper({ program: ownProgram(), stateDir, always: true }),
    mode: 0o700,
  });
  replaceFile({ path: manifest, text: hostManifest(wrapper), mode: 0o600 });
  return { manifest, wrapper };
}
