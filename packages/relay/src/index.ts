export { NotPairedError } from './authentication.ts';
export { NameNotFoundError, RelayBusyError, TargetTimeoutError, TargetUnreachableError } from './dial.ts';
export { pinOf, RelayIdentityError } from './identity.ts';
export { type RelayLimits, relayLimits } from './limits.ts';
export { NotPlainError } from './plain-request.ts';
export { RelayClosingError, startRelay } from './relay.ts';
export type { Relay, RelayLogger, RelayOptions, RelaySnapshot } from './relay-options.ts';
export { type CertificateFiles, RelayCertificateError } from './server-certificate.ts';
export { PortRefusedError, TargetRefusedError } from './target-guard.ts';
