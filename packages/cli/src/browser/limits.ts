/** Every bound of `manypath browse`, with its default. */
export const browserLimits = {
  /** How long making the quiet namespace may take, milliseconds. Usually 0.1 s. */
  namespaceSetupMs: 10_000,
  /** How long a browser that was asked to end may take, milliseconds, before it is killed. */
  browserShutdownMs: 10_000,
  /** Host name lookups for the isolated browser that may be under way at once; more are not answered. */
  concurrentLookups: 64,
  /** How long the browser may keep the address of a local name, seconds. */
  localNameTtlSeconds: 5,
  /** Patterns of `--local-name` and search domains that are taken at most. */
  localNamePatterns: 64,
  /** Connections to the browser's debugging port at once. */
  debuggingConnections: 256,
  /** How long one of them waits for a browser that is still starting, milliseconds. */
  debuggingWaitMs: 10_000,
  /** Names of the hosts file that lead to this machine or its networks, and are taken. */
  hostsNames: 256,
} as const;

export type BrowserLimits = { readonly [name in keyof typeof browserLimits]: number };
