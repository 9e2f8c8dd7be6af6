import type { PathHealth, PathTier } from '@manypath/core';
import type { Path } from './discovery/path.ts';

/** What is known of a path by those who choose between paths. */
export interface PathOutlook {
  readonly path: Path;
  /** What the user allows it, after caps: a path over its cap is `backup` or `never`, as the user chose. */
  readonly tier: PathTier;
  readonly health: PathHealth;
  /** Larger packets than those of 576 bytes are lost on it. Default: it takes all. */
  readonly takesSmallOnly?: boolean;
  /** Round trip to the relay, or to what was dialled lately, when nothing was in the way, in milliseconds. */
  readonly rttMs: number | undefined;
  /** What it carried at best on this network, in Mbit/s. */
  readonly downMbps: number | undefined;
  readonly upMbps: number | undefined;
}
