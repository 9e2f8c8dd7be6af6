import { HostPort, type HostState } from './host-port.ts';
import { applyChoice } from './proxy-setting.ts';

/** How long a look at the gateway may take before the worker lets go, in milliseconds. */
const lookMs = 3000;

chrome.runtime.onInstalled.addListener(() => void look());
chrome.runtime.onStartup.addListener(() => void look());
chrome.proxy.onProxyError.addListener(() => void look());
chrome.storage.onChanged.addListener(changes => {
  if (changes.multipath !== undefined || changes.whenGone !== undefined) void applyChoice();
});

/** Finds out where the gateway is, and has the browser use it as the user chose. Then the worker may sleep again. */
async function look(): Promise<void> {
  const state = await currentState();
  const hello = state?.kind === 'notice' ? state.notice.hello : null;
  await applyChoice(hello ?? undefined);
  await chrome.action.setBadgeText({ text: hello === null ? '!' : '' });
}

function currentState(): Promise<HostState | undefined> {
  return new Promise(resolve => {
    const port = new HostPort(state => settle(state));
    const late = setTimeout(() => settle(undefined), lookMs);
    function settle(state: HostState | undefined): void {
      clearTimeout(late);
      resolve(state);
      port.close();
    }
  });
}
