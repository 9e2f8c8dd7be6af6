import { existsSync } from 'node:fs';
import type { BrowserName, InstallTarget } from './browsers.ts';
import { shellWord } from './quoting.ts';

const pages: Record<BrowserName, string> = {
  chromium: 'chrome://extensions',
  chrome: 'chrome://extensions',
  edge: 'edge://extensions',
  brave: 'brave://extensions',
};

/** How the extension gets into a browser. */
export interface ExtensionAdvice {
  /** Browsers that it is the same in. */
  readonly browsers: readonly string[];
  /** What to do, in order. */
  readonly steps: readonly string[];
  /** A command instead, where the browser takes one; `null` where it does not. */
  readonly command: string | null;
}

/** No browser lets a program add an extension; Chromium at least takes one from its command line. */
export function extensionAdvice(targets: readonly InstallTarget[], folder: string): ExtensionAdvice[] {
  const browsers = [...new Set(targets.map(({ browser }) => browser))];
  return browsers.map(browser => ({
    browsers: [...new Set(targets.filter(target => target.browser === browser).map(({ title }) => title))],
    steps: [
      `open ${browser === null ? 'chrome://extensions' : pages[browser]}`,
      'switch on "Developer mode"',
      'press "Load unpacked" and choose this folder',
    ],
    command: browser === 'chromium' ? debianCommand(folder) : null,
  }));
}

const debianFolder = '/etc/chromium.d';

/** The script that starts Debian's Chromium reads what is in this folder. */
function debianCommand(folder: string): string | null {
  // A path that the shell would take apart there is better chosen by hand.
  if (!existsSync(debianFolder) || !/^[\w@%+=:./-]+$/.test(folder)) return null;
  const line = `export CHROMIUM_FLAGS="$CHROMIUM_FLAGS --load-extension=${folder}"`;
  return `echo ${shellWord(line)} | sudo tee ${debianFlagsFile}`;
}

/** The file that the command for Debian's Chromium makes. */
export const debianFlagsFile = `${debianFolder}/manypath`;
