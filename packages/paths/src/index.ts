export { discoverPaths, type NetworkTables } from './discovery/discover-paths.ts';
export type { Path, PathAddress, PathKind } from './discovery/path.ts';
export { pathsLimits } from './limits.ts';
export type { PathOutlook } from './outlook.ts';
export { PathSet, type PathSetOptions, type PathsLogger } from './path-set.ts';
export type { NewSubflow, SteeringRights, SubflowEnd } from './steering/steering-rights.ts';
export { JournalBusyError } from './upkeep/file-lock.ts';
export { raiseSubflowLimits } from './upkeep/raise-subflow-limits.ts';
export { DirectSteering } from './steering/direct-steering.ts';
