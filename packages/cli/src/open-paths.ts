import { PathSet } from '@manypath/paths';
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
