export { NotPairedError } from './authentication.ts';
export { TargetUnreachableError } from './dial.ts';
export { type CertificateFiles, pinOf, RelayIdentityError } from './identity.ts';
export { type RelayLimits, relayLimits } from './limits.ts';
export { type Relay, type RelayLogger, type RelayOptions, type RelaySnapshot, startRelay } from './relay.ts';
export { TargetRefusedError } from './target-guard.ts';
