import { concatBytes, encodeText } from './bytes.ts';

/**
 * A writer for the Distinguished Encoding Rules (ITU-T X.690), as far as a certificate needs them. Each
 * function returns the complete encoding of one value.
 */

/** The BOOLEAN that is true. */
export const booleanTrue: Uint8Array = Uint8Array.of(0x01, 0x01, 0xff);

export function sequence(...values: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return encode(0x30, concatBytes(values));
}

/** A SET of one value; several would have to be sorted. */
export function set(value: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(0x31, value);
}

/** A non-negative INTEGER from its bytes, most significant first. */
export function integer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const firstSignificant = bytes.findIndex(byte => byte !== 0);
  const shortest = firstSignificant === -1 ? Uint8Array.of(0) : bytes.subarray(firstSignificant);
  const looksNegative = (shortest[0] ?? 0) >= 0x80;
  return encode(0x02, looksNegative ? concatBytes([Uint8Array.of(0), shortest]) : shortest);
}

export function octetString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(0x04, bytes);
}

/** A BIT STRING of whole bytes. */
export function bitString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(0x03, concatBytes([Uint8Array.of(0), bytes]));
}

export function utf8String(text: string): Uint8Array<ArrayBuffer> {
  return encode(0x0c, encodeText(text));
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function objectId(dotted: string): Uint8Array<ArrayBuffer> {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(0x06, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)));
}

/** UTCTime until 2049, GeneralizedTime from 2050 on; RFC 5280 §4.1.2.5. */
export function time(date: Date): Uint8Array<ArrayBuffer> {
  const digits = `${date.toISOString().slice(0, 19).replace(/\D/g, '')}Z`;
  return date.getUTCFullYear() < 2050
    ? encode(0x17, encodeText(digits.slice(2)))
    : encode(0x18, encodeText(digits));
}

/** A value in a constructed context-specific tag of its own. */
export function explicit(tag: number, value: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(0xa0 | tag, value);
}

/** Primitive content under a context-specific tag. */
export function implicit(tag: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(0x80 | tag, content);
}

function encode(tag: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes([Uint8Array.of(tag, ...lengthBytes(content.length)), content]);
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift((rest & 0x7f) | 0x80);
  }
  return bytes;
}
