/** Bytes of hex digits; spaces are for the eye. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replace(/\s+/g, ''), 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** What fast-check may take: tests of chance end in time. */
export const brief = { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 2000 } as const;
