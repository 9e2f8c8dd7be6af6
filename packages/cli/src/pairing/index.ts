export { NoPairingError, PairingFileError } from './errors.ts';
export { forgetPairing, keepPairing, keptPairing, watchKeptPairing } from './kept-pairing.ts';
export { readPairingFrom } from './read-pairing.ts';
export { RelayChoice, type RelayInUse, withRelayOption } from './relay-choice.ts';
