/** What the parent asks the holder of the namespace to do. */
export interface HolderOrder {
  /** Port of the proxy in the namespace. */
  readonly proxyPort: number;
  /** Port of the proxy that goes straight. */
  readonly straightPort: number;
  /** IPv6 name servers of the host, without scope. */
  readonly nameServers6: readonly string[];
}

/** What the holder tells its parent; `listening` comes with a `net.Server`, `bound` with a `dgram.Socket`. */
export type HolderMessage =
  | { readonly kind: 'listening'; readonly role: 'proxy' | 'straight' | 'redirected' }
  | { readonly kind: 'bound' }
  /** All is passed on. `localFailure` says why loopback and local networks cannot be reached. */
  | { readonly kind: 'ready'; readonly localFailure?: string }
  | { readonly kind: 'failed'; readonly reason: string };
