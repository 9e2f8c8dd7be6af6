/** What a user wants for a site. */
export type SiteWish = 'relay' | 'straight' | 'tcp' | 'single' | 'bypass';

/** A site and what is wanted for it. */
export interface SiteRule {
  /** A host name, `*.domain`, an address or a network. */
  readonly host: string;
  readonly wish: SiteWish;
  /** The path, where one only is wanted. */
  readonly path?: string;
}

/** What each wish means, for people. */
export const wishWords: Record<SiteWish, string> = {
  relay: 'Always through the relay',
  straight: 'Never through the relay',
  tcp: 'Never multipath',
  single: 'Over one path only',
  bypass: 'Not through Manypath at all (also UDP, WebTransport)',
};

interface RuleInConfig {
  readonly host: string;
  readonly route?: string;
  readonly paths?: readonly string[];
}

/** Reads the rules for sites out of a configuration; `bypass` is the extension's own. */
export function siteRules(config: Readonly<Record<string, unknown>>, bypass: readonly string[]): SiteRule[] {
  const rules = Array.isArray(config.rules) ? (config.rules as RuleInConfig[]) : [];
  return [...rules.map(toSite), ...bypass.map(host => ({ host, wish: 'bypass' as const }))];
}

function toSite({ host, route, paths }: RuleInConfig): SiteRule {
  if (paths?.[0] !== undefined) return { host, wish: 'single', path: paths[0] };
  return { host, wish: route === 'relay' || route === 'tcp' ? route : 'straight' };
}

/** Puts a rule into a configuration's rules, in place of one for the same host. */
export function withSiteRule(
  config: Readonly<Record<string, unknown>>,
  { host, wish, path }: SiteRule,
): unknown[] {
  const rest = withoutSiteRule(config, host);
  if (wish === 'bypass') return rest;
  const rule = wish === 'single' ? { host, route: 'straight', paths: [path] } : { host, route: wish };
  return [...rest, rule];
}

export function withoutSiteRule(config: Readonly<Record<string, unknown>>, host: string): unknown[] {
  const rules = Array.isArray(config.rules) ? (config.rules as RuleInConfig[]) : [];
  return rules.filter(rule => rule.host !== host);
}
