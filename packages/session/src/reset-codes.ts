/** Why a tunnel was broken off; the numbers of docs/SESSION.md §6. */
export const resetCodes = {
  /** Who uses it does not want it any more. */
  cancelled: 1,
  /** What it leads to broke the connection off. */
  broken: 2,
  /** The target cannot be reached; the message begins with the code of the failure. */
  unreachable: 3,
  /** The target may not be reached. */
  refused: 4,
  /** There are as many tunnels or targets as may be. */
  busy: 5,
  /** Nothing moved for too long. */
  idle: 6,
  /** The session is over. */
  sessionOver: 7,
  /** The end that was asked is about to stop. */
  closing: 8,
  /** It made a mistake, or cannot do what was asked. */
  internal: 9,
  /** The target did not answer in time. */
  timedOut: 10,
  /** Its reader left more than could be kept. */
  slow: 11,
} as const;
