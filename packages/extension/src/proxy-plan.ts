import type { Choice } from './choice.ts';

/** Where a gateway's proxy listens. */
export interface ProxyAddress {
  readonly host: string;
  readonly port: number;
}

/** What the browser's proxy setting is to be: a PAC script, or nothing of ours. */
export type ProxyPlan = { readonly kind: 'script'; readonly script: string } | { readonly kind: 'clear' };

/**
 * The proxy setting that a choice asks for. Fail-open is written into the script: the browser itself then goes straight out
 * when nobody listens, also while the service worker sleeps.
 *
 * @param proxy Where the gateway listens, or did last; `undefined` when none was ever seen.
 * @param straight For a browser that was started with the gateway for its proxy: where it goes straight. That setting holds while
 * the switch is on.
 * @param nonce Makes the script another one. A browser avoids a proxy that failed for five minutes, unless the setting changes.
 */
export function planProxy(
  choice: Choice,
  proxy: ProxyAddress | undefined,
  nonce: number,
  straight?: ProxyAddress,
): ProxyPlan {
  if (straight !== undefined) return choice.multipath ? { kind: 'clear' } : planScript(straight, '', nonce);
  if (!choice.multipath || proxy === undefined) return { kind: 'clear' };
  return planScript(proxy, choice.whenGone === 'open' ? '; DIRECT' : '', nonce);
}

function planScript(proxy: ProxyAddress, otherwise: string, nonce: number): ProxyPlan {
  const host = proxy.host.includes(':') ? `[${proxy.host}]` : proxy.host;
  const script = [
    `// ${nonce}`,
    'function FindProxyForURL(url, host) {',
    `  return "PROXY ${host}:${proxy.port}${otherwise}";`,
    '}',
  ].join('\n');
  return { kind: 'script', script };
}

/** Whether something is a place where a proxy can be, as messages and storage bring it. */
export function isProxyAddress(value: unknown): value is ProxyAddress {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port } = value as Record<string, unknown>;
  const isHost = typeof host === 'string' && /^[0-9a-zA-Z.:-]{1,253}$/.test(host);
  return isHost && Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
}
