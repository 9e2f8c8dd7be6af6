export type { LabAddresses } from './addresses.ts';
export { type KeyPair, labCertificate } from './certificate.ts';
export type { CommandOptions, CommandResult } from './command.ts';
export {
  type CommandFailure,
  LabCommandError,
  LabDelayUnavailableError,
  LabNameTakenError,
  LabNotBuiltError,
  LabNotPermittedError,
  LabOptionError,
  LabTimeoutError,
  LabToolMissingError,
  LabUnknownError,
} from './errors.ts';
export {
  Lab,
  type LabOrigin,
  type LabSpawnOptions,
  type LinkCounters,
} from './lab.ts';
export type { LabLink } from './lab-link.ts';
export { labLimits } from './limits.ts';
export { type Origin, type OriginOptions, startOrigin } from './origin.ts';
export { PatternCheck, patternBytes, patternSha256 } from './pattern.ts';
export type { LinkOptions, LinkShape, Namespaces, Role } from './plan.ts';
export type { LabOptions } from './record.ts';
export { insideOwnNamespaces, mayMakeLabs, requireOrReenter } from './reenter.ts';
export { type FaultKind, faultKinds } from './state.ts';
export {
  measureTransfer,
  type RateSample,
  TransferMeter,
  type TransferMeterOptions,
  type TransferReport,
} from './transfer.ts';
