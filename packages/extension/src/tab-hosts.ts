/**
 * Hosts that the page in the current tab loaded something from. The browser lets the extension look only because the user has
 * just clicked on its button there (`activeTab`); nothing of it is kept.
 *
 * @returns `undefined` where nothing may be looked at, as on the browser's own pages.
 */
export async function hostsOfTab(): Promise<ReadonlySet<string> | undefined> {
  const [tab] = await chrome.tabs.query({ active: true, currentWindow: true });
  if (tab?.id === undefined) return undefined;
  try {
    const [answer] = await chrome.scripting.executeScript({ target: { tabId: tab.id }, func: hostsOfPage });
    return new Set(answer?.result ?? []);
  } catch {
    return undefined;
  }
}

/** Runs in the page. */
function hostsOfPage(): string[] {
  const urls = performance.getEntriesByType('resource').map(({ name }) => name);
  const hosts = [location.href, ...urls].map(url => (URL.canParse(url) ? new URL(url).hostname : ''));
  return [...new Set(hosts.map(host => host.replace(/^\[|\]$/g, '')))].filter(host => host !== '');
}
