export { discoverPaths, type NetworkTables } from './discover-paths.ts';
export { JournalBusyError } from './file-lock.ts';
export { pathsLimits } from './limits.ts';
export type { Path, PathAddress, PathKind } from './path.ts';
export { PathSet, type PathSetOptions, type PathsLogger } from './path-set.ts';
export { raiseSubflowLimits } from './raise-subflow-limits.ts';
