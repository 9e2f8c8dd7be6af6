import type { Config, PathConfig, PathTier } from '@manypath/core';
import type { PathKind } from '../discovery/path.ts';

/** What the user says of each path. */
export type PathRules = NonNullable<Config['paths']>;

/** What holds for a path: what is said of its name goes before what is said of its kind, key by key. */
export function ruleFor(
  rules: PathRules,
  name: string,
  kind: PathKind,
): PathConfig & { readonly tier: PathTier } {
  return { tier: usualTier(kind), ...own(rules, `kind:${kind}`), ...own(rules, name) };
}

/** Links that mostly cost by the byte help where it pays and are spared else. */
export function usualTier(kind: PathKind): PathTier {
  return kind === 'cellular' || kind === 'usb' ? 'secondary' : 'primary';
}

/** The tier of a path that has reached a cap: never a better one than it had. */
export function tierAtCap({ tier, atCap }: PathConfig & { readonly tier: PathTier }): PathTier {
  if (tier === 'never') return 'never';
  // A path that is only used when all others fail has a cap for that very case.
  return atCap ?? (tier === 'backup' ? 'never' : 'backup');
}

function own(rules: PathRules, key: string): PathConfig | undefined {
  return Object.hasOwn(rules, key) ? rules[key] : undefined;
}
