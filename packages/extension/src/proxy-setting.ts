import { readChoice } from './choice.ts';
import { isProxyAddress, type ProxyAddress, planProxy } from './proxy-plan.ts';

/**
 * Puts the user's choice into force for new connections.
 *
 * @param proxy Where the gateway listens; default: where it did last.
 */
export async function applyChoice(proxy?: ProxyAddress): Promise<void> {
  if (proxy !== undefined) await chrome.storage.local.set({ proxy });
  const stored = (await chrome.storage.local.get('proxy')).proxy;
  const known = isProxyAddress(stored) ? stored : undefined;
  const plan = planProxy(await readChoice(), known, Date.now());
  if (plan.kind === 'clear') return chrome.proxy.settings.clear({ scope: 'regular' });
  await chrome.proxy.settings.set({
    scope: 'regular',
    // Mandatory: a script that cannot be used must not turn into going straight unasked.
    value: { mode: 'pac_script', pacScript: { data: plan.script, mandatory: true } },
  });
}

/** Who else decides on the proxy; `undefined` when nobody does. */
export async function proxyRival(): Promise<'another extension' | 'a policy' | undefined> {
  const { levelOfControl } = await chrome.proxy.settings.get({});
  if (levelOfControl === 'controlled_by_other_extensions') return 'another extension';
  return levelOfControl === 'not_controllable' ? 'a policy' : undefined;
}
