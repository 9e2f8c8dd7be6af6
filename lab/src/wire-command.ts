import type { WireSetting } from './delay-line.ts';

/** What a running wire is told on its control socket, as a line of JSON; it answers `ok`. */
export interface WireCommand extends WireSetting {
  /** Open both ends again: one of them was down, which ends the watch on it. */
  reopen?: boolean;
}
