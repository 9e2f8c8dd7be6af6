/** What the lab is made with unless told otherwise. */
export const labLimits = {
  /** Links of one client, counting those removed again: their subnets are numbered 1..100. */
  links: 100,
  /** Standing queue of a shaped link, in milliseconds at its rate. */
  queueMs: 50,
  /** Smallest queue of a shaped link, in bytes: twenty full packets, or slow links lose every small burst. */
  queueMinBytes: 30_000,
  /** How much a shaped link may send at once, in milliseconds at its rate. */
  burstMs: 2,
  /** Smallest burst, in bytes: the timer of a 250 Hz kernel and one aggregated packet must fit. */
  burstMinBytes: 16_384,
  /** Largest burst, in bytes. */
  burstMaxBytes: 262_144,
  /** Packets a delaying element may hold in flight. */
  delayQueuePackets: 100_000,
  /** Time for a command given to `exec`, in milliseconds. */
  execTimeoutMs: 60_000,
  /** Bytes of stdout and of stderr that `exec` keeps; more ends the command with an error. */
  execOutputBytes: 64 * 1024 * 1024,
  /** How long a process of the lab has between SIGTERM and SIGKILL, in milliseconds. */
  killGraceMs: 300,
  /** How long a helper (a wire, the origin) may take to be ready, in milliseconds. */
  readyTimeoutMs: 10_000,
} as const;
