import type { Overview } from '@manypath/core';
import { showBadge } from './badge.ts';
import { choiceKeys, readChoice } from './choice.ts';
import { HostPort, type HostState } from './host-port.ts';
import { applyChoice } from './proxy-setting.ts';
import { reloadBrokenPages, resumeBrokenDownloads } from './second-chance.ts';
import { serveStreams } from './streams/stream-service.ts';

/** How long a look at the gateway may take before the worker lets go, in milliseconds. */
const lookMs = 3000;
/** How often the badge is brought up to date while pages are loaded, in milliseconds at least. */
const badgeMs = 60_000;
/** The same when the gateway does not answer the browser. */
const proxyErrorMs = 5000;

chrome.runtime.onInstalled.addListener(() => void look());
chrome.runtime.onStartup.addListener(() => void look());
chrome.storage.onChanged.addListener(changes => {
  if (choiceKeys.some(key => changes[key] !== undefined)) void applyChoice().then(look);
});
chrome.webNavigation.onCompleted.addListener(({ frameId }) => {
  if (frameId === 0) void lookUnlessSince(badgeMs);
});
// Not `proxy.onProxyError`: that comes for every host that cannot be reached, and would keep the worker awake.
chrome.webNavigation.onErrorOccurred.addListener(({ frameId, error }) => {
  if (frameId === 0 && error === 'net::ERR_PROXY_CONNECTION_FAILED') void lookUnlessSince(proxyErrorMs);
});
serveStreams();
reloadBrokenPages();
resumeBrokenDownloads();

async function lookUnlessSince(milliseconds: number): Promise<void> {
  const { lookedAt } = await chrome.storage.session.get('lookedAt');
  if (typeof lookedAt !== 'number' || Date.now() - lookedAt >= milliseconds) await look();
}

/** Finds out where the gateway is, and has the browser use it as the user chose. Then the worker may sleep again. */
async function look(): Promise<void> {
  await chrome.storage.session.set({ lookedAt: Date.now() });
  const { state, overview } = await currentState();
  const hello = state?.kind === 'notice' ? state.notice.hello : null;
  await applyChoice(hello ?? undefined);
  await showBadge(await readChoice(), overview);
}

function currentState(): Promise<{ state?: HostState; overview?: Overview }> {
  return new Promise(resolve => {
    const port = new HostPort(state => {
      const isReady = state.kind === 'notice' && state.notice.hello !== null;
      if (!isReady) return settle({ state });
      port.ask('overview').then(
        overview => settle({ state, overview: overview as Overview }),
        () => settle({ state }),
      );
    });
    const late = setTimeout(() => settle({}), lookMs);
    function settle(found: { state?: HostState; overview?: Overview }): void {
      clearTimeout(late);
      resolve(found);
      port.close();
    }
  });
}
