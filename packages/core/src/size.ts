import { ManypathError } from './errors.ts';

/** A text is no number of bytes. */
export class SizeInvalidError extends ManypathError {
  constructor(text: string, reason: string) {
    super('MANYPATH_SIZE_INVALID', `${JSON.stringify(text.slice(0, 40))} is no size: ${reason}`, {
      hint: 'write a number and a unit, like 500 MB, 1.5 GiB or 800 kB',
    });
  }
}

/** Powers of ten as networks and providers count, powers of two with an `i` (IEC 80000-13). */
const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/**
 * Reads a number of bytes: `500 MB`, `1.5GiB`, `800 kB`. The unit must be there, and in these letters: `500 Mb` is
 * something else, and `500` alone may be anything.
 *
 * @returns Whole bytes, at least 1.
 * @throws SizeInvalidError `MANYPATH_SIZE_INVALID`
 */
export function parseSize(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]+)$/.exec(text);
  if (match === null) throw new SizeInvalidError(text, 'it must be a number and a unit, like "500 MB"');
  const [, number = '', unit = ''] = match;
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (factor === undefined) {
    throw new SizeInvalidError(text, `the unit must be one of ${Object.keys(units).join(', ')}`);
  }
  const bytes = Math.round(Number(number) * factor);
  if (bytes < 1) throw new SizeInvalidError(text, 'it must be at least one byte');
  if (!Number.isSafeInteger(bytes)) throw new SizeInvalidError(text, 'it is too large');
  return bytes;
}
