/** What the room of files waits for and keeps at most. */
export const filesLimits = {
  /** How long to wait for another process that changes files in the same folder, in milliseconds. */
  folderLockMs: 5000,
  /** How long to wait before the lock of a folder is tried again, in milliseconds; doubles up to the second. */
  folderLockTryMs: 2,
  folderLockTryMostMs: 50,
  /** How long changes of a stored value are gathered before they are written, in milliseconds. */
  storeDebounceMs: 1000,
  /** How long until a value that could not be written is tried again, in milliseconds; doubles up to the second. */
  storeRetryMs: 2000,
  storeRetryMostMs: 30_000,
  /** Longest stored value that is read, in bytes. */
  storeBytes: 16_777_216,
  /** Changes remembered while they cannot be written, so that they can be made again on what another process wrote. */
  storeChanges: 10_000,
} as const;
