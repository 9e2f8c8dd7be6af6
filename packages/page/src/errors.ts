/** The network, the gateway or the far end failed. */
export function networkError(message: string): DOMException {
  return new DOMException(message, 'NetworkError');
}

/** The user, or the configuration, does not allow it. */
export function notAllowed(message: string): DOMException {
  return new DOMException(message || 'the user did not allow it', 'NotAllowedError');
}

/** This page or this browser cannot have it, whatever the user says. */
export function notSupported(message: string): DOMException {
  return new DOMException(message, 'NotSupportedError');
}

/** It is not the time for that. */
export function invalidState(message: string): DOMException {
  return new DOMException(message, 'InvalidStateError');
}
