import { errorMessage } from '@manypath/core';
import { DirectSteering, PathSet, Steward } from '@manypath/paths';
import type { Logger } from './terminal/log.ts';

interface OpenPathsOptions {
  /** Interfaces to use; `undefined` uses all that lead out. */
  names: readonly string[] | undefined;
  stateDir: string;
  logger: Logger;
}

/** Finds the paths of this host and sets them up for MPTCP as far as this process may. */
export async function openPaths({ names, stateDir, logger }: OpenPathsOptions): Promise<PathSet> {
  const paths = await PathSet.open({ stateDir, logger, ...(names === undefined ? {} : { names }) });
  if (paths.mode === 'observing') logger.info({ reason: paths.reason }, 'using the paths as they are set up');
  return paths;
}

/** How many paths there are, for the line that says what was set up. */
export function describePaths(paths: PathSet): string {
  const names = paths.current().map(({ name }) => name);
  if (names.length === 0) return 'no path out of this host yet';
  if (names.length === 1) return `one path: ${names[0]}`;
  return `${names.length} paths: ${names.join(', ')}`;
}

/** What chooses the paths of this process's connections. */
export function openSteward(paths: PathSet, logger: Logger): Steward {
  return new Steward({ paths, rights: steeringRights(paths, logger), logger });
}

function steeringRights(paths: PathSet, logger: Logger): DirectSteering | undefined {
  if (paths.mode === 'observing') return undefined;
  try {
    return new DirectSteering();
  } catch (error) {
    logger.info({ reason: errorMessage(error) }, 'the kernel chooses the subflows');
    return undefined;
  }
}
