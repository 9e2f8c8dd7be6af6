import { type Choice, isBypass } from './choice.ts';

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
 * @param straight For a browser that was started with the gateway for its proxy: where it goes straight. Its own setting holds while
 * the switch is on and nothing is bypassed.
 * @param nonce Makes the script another one. A browser avoids a proxy that failed for five minutes, unless the setting changes.
 */
export function planProxy(
  choice: Choice,
  proxy: ProxyAddress | undefined,
  nonce: number,
  straight?: ProxyAddress,
): ProxyPlan {
  const bypass = choice.bypass.filter(isBypass);
  if (straight !== undefined) {
    if (!choice.multipath) return planScript(way(straight), [], way(straight), nonce);
    if (proxy === undefined || bypass.length === 0) return { kind: 'clear' };
    return planScript(way(proxy), bypass, way(straight), nonce);
  }
  if (!choice.multipath || proxy === undefined) return { kind: 'clear' };
  return planScript(way(proxy) + (choice.whenGone === 'open' ? '; DIRECT' : ''), bypass, 'DIRECT', nonce);
}

function way({ host, port }: ProxyAddress): string {
  return `PROXY ${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * What only this machine and its link know is never asked of a proxy: names without a dot, loopback and link-local addresses
 * (where captive portals and printers are), `localhost`, `local`, `home.arpa`, and `localdomain`, which is this machine in many
 * hosts files. Addresses come as the browser writes them, whatever the page wrote; those of "this" network (RFC 6890) lead to
 * this machine on Linux, as do IPv4 addresses written as IPv6 ones.
 */
function planScript(usual: string, bypass: readonly string[], bypassed: string, nonce: number): ProxyPlan {
  const script = `// ${nonce}
var exact = ${JSON.stringify(Object.fromEntries(bypass.filter(isExact).map(host => [host, true])))};
var below = ${JSON.stringify(bypass.filter(host => !isExact(host)).map(host => host.slice(1)))};
function FindProxyForURL(url, host) {
  host = host.toLowerCase().replace(/\\.+$/, '');
  var isName = host.indexOf(':') < 0;
  if (isName && host.indexOf('.') < 0) return 'DIRECT';
  if (/(^|\\.)(localhost|local|localdomain6?|home\\.arpa)$/.test(host)) return 'DIRECT';
  if (/^(0|127|169\\.254)\\.[0-9.]+$/.test(host)) return 'DIRECT';
  if (/^(::1?|fe[89ab][0-9a-f]:.*)$/.test(host)) return 'DIRECT';
  if (/^::(ffff:)?(0|[0-9a-f]{1,2}|7f[0-9a-f]{2}|a9fe):[0-9a-f]{1,4}$/.test(host)) return 'DIRECT';
  if (exact.hasOwnProperty(host)) return ${JSON.stringify(bypassed)};
  for (var i = 0; i < below.length; i++) {
    if (host.slice(-below[i].length) === below[i]) return ${JSON.stringify(bypassed)};
  }
  return ${JSON.stringify(usual)};
}
`;
  return { kind: 'script', script };
}

function isExact(pattern: string): boolean {
  return !pattern.startsWith('*.');
}

/** Whether something is a place where a proxy can be, as messages and storage bring it. */
export function isProxyAddress(value: unknown): value is ProxyAddress {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port } = value as Record<string, unknown>;
  const isHost = typeof host === 'string' && /^[0-9a-zA-Z.:-]{1,253}$/.test(host);
  return isHost && Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
}
