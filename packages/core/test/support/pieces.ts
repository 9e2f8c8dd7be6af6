import fc from 'fast-check';

/** For tests with random input: how long one may search. A run that is cut off by time has found nothing wrong. */
export const searchBriefly = {
  interruptAfterTimeLimit: 2000,
  markInterruptAsFailure: false,
  numRuns: 3000,
} as const;

/** Bytes of text, one a character. */
export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** Bytes of hexadecimal digits; blanks are free. */
export function hex(...digits: string[]): Uint8Array {
  return new Uint8Array(Buffer.from(digits.join('').replaceAll(/\s/g, ''), 'hex'));
}

/** All ways to cut bytes into two, and the one into single bytes. */
export function everySplit(bytes: Uint8Array): Uint8Array[][] {
  const splits = Array.from({ length: bytes.length + 1 }, (_, at) => [
    bytes.subarray(0, at),
    bytes.subarray(at),
  ]);
  return [...splits, [...bytes].map(byte => Uint8Array.of(byte))];
}

/** Bytes in pieces of random sizes. */
export function inPieces(bytes: Uint8Array): fc.Arbitrary<Uint8Array[]> {
  return fc.array(fc.nat(bytes.length), { maxLength: 8 }).map(cuts => {
    const bounds = [0, ...cuts.toSorted((left, right) => left - right), bytes.length];
    return bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end));
  });
}

/** What an action throws. */
export function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('it threw nothing');
}
