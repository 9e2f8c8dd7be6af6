import type { Path, PathOutlook } from '../../src/index.ts';

/** A path with an address of each family that is asked for. */
export function pathNamed(name: string, families: readonly (4 | 6)[] = [4], subnet = subnetOf(name)): Path {
  return {
    name,
    index: subnet,
    kind: 'ethernet',
    network: `${name} via 10.0.${subnet}.1`,
    metric: 100 * subnet,
    addresses: families.map(family =>
      family === 4
        ? { address: `10.0.${subnet}.2`, family, prefixLength: 24, gateway: `10.0.${subnet}.1` }
        : { address: `fd00:${subnet}::2`, family, prefixLength: 64, gateway: `fd00:${subnet}::1` },
    ),
  };
}

export function outlook(name: string, about: Partial<PathOutlook> = {}): PathOutlook {
  return {
    path: pathNamed(name),
    tier: 'primary',
    health: 'up',
    rttMs: undefined,
    downMbps: undefined,
    upMbps: undefined,
    ...about,
  };
}

function subnetOf(name: string): number {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 250, 7) + 1;
}
