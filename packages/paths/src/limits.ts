/** What the paths room waits for and keeps at most. */
export const pathsLimits = {
  /** How long to wait for another process that changes the journal, in milliseconds. */
  journalLockMs: 5000,
  /** How long changes of links, addresses and routes are gathered before they are acted on, in milliseconds. */
  settleMs: 20,
  /** Subflows per connection that the kernel may open or accept (MPTCP_PM_ADDR_MAX is 8). */
  subflowsPerConnection: 8,
} as const;
