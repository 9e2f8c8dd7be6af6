import type { ControlHello } from '@manypath/core';
import { readChoice } from './choice.ts';
import { isProxyAddress, type ProxyAddress, planProxy } from './proxy-plan.ts';

/**
 * Puts the user's choice into force for new connections.
 *
 * @param hello Who the gateway is; default: who it was last.
 */
export async function applyChoice(hello?: ControlHello): Promise<void> {
  if (hello !== undefined) {
    await chrome.storage.local.set({ proxy: hello.proxy, straightProxy: hello.straightProxy });
  }
  const stored = await chrome.storage.local.get(['proxy', 'straightProxy']);
  const known = (value: unknown): ProxyAddress | undefined => (isProxyAddress(value) ? value : undefined);
  const plan = planProxy(await readChoice(), known(stored.proxy), Date.now(), known(stored.straightProxy));
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
