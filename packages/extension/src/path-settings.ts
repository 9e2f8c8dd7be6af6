import type { PathStatus, PathTier } from '@manypath/core';

/** What is set for a path, as fields of a form have it. */
export interface PathSettings {
  readonly tier: PathTier;
  /** A size like `500 MB`; empty for none. */
  readonly dailyCap: string;
  readonly monthlyCap: string;
  readonly resetDay: number;
  readonly atCap: 'backup' | 'never';
}

type Config = Readonly<Record<string, unknown>>;
type Entry = Readonly<Record<string, unknown>>;

/** What a configuration says of a path: by its name, else by its kind, else what is usual. */
export function pathSettings(config: Config, path: Pick<PathStatus, 'name' | 'kind' | 'tier'>): PathSettings {
  const entry = { ...entryOf(config, `kind:${path.kind}`), ...entryOf(config, path.name) };
  const size = (value: unknown): string =>
    typeof value === 'number' ? `${value} B` : typeof value === 'string' ? value : '';
  return {
    tier: (entry.tier as PathTier | undefined) ?? path.tier,
    dailyCap: size(entry.dailyCap),
    monthlyCap: size(entry.monthlyCap),
    resetDay: typeof entry.resetDay === 'number' ? entry.resetDay : 1,
    atCap: entry.atCap === 'never' ? 'never' : 'backup',
  };
}

/** The `paths` of a configuration with a change of one path. Only what was changed is said of it; the gateway checks it. */
export function pathChange(
  config: Config,
  path: Pick<PathStatus, 'name'>,
  change: Partial<PathSettings>,
): Record<string, unknown> {
  const entry: Record<string, unknown> = { ...entryOf(config, path.name), ...change };
  for (const key of ['dailyCap', 'monthlyCap']) if (entry[key] === '') delete entry[key];
  return { ...(isObject(config.paths) ? config.paths : {}), [path.name]: entry };
}

function entryOf({ paths }: Config, key: string): Entry {
  const entry = isObject(paths) ? paths[key] : undefined;
  if (typeof entry === 'string') return { tier: entry };
  return isObject(entry) ? entry : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
