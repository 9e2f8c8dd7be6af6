import type { Setting } from './plan.ts';

/** Has the kernel hold the settings of the paths: in this process, or through the privileged helper. */
export interface Keeper {
  /** Whether the kernel's tables can be changed this way. */
  readonly permitted: boolean;
  /**
   * Adds what is wanted and missing, and removes what was added and has lost its address or link. The first time it also undoes
   * what dead processes left, and raises the limits on subflows.
   */
  apply(wanted: readonly Setting[]): Promise<void>;
  /** Leaves; when nobody else is left, everything is undone. */
  end(): Promise<void>;
}
