/** Joins byte arrays into one. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Whether two byte arrays are equal, in a time that depends on their lengths only.
 *
 * Compare digests rather than secrets: then the lengths tell nothing either.
 */
export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  let difference = 0;
  for (let position = 0; position < left.length; position++) {
    difference |= (left[position] ?? 0) ^ (right[position] ?? 0);
  }
  return difference === 0;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** UTF-8. */
export function encodeText(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Reads UTF-8; what is none becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** One character a byte, as HTTP heads are read; RFC 9112 §2.2. */
export function decodeLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let offset = 0; offset < bytes.length; offset += 4096) {
    text += String.fromCharCode(...bytes.subarray(offset, offset + 4096));
  }
  return text;
}

/** The reverse of {@link decodeLatin1}. `undefined` when a character does not fit a byte. */
export function encodeLatin1(text: string): Uint8Array<ArrayBuffer> | undefined {
  const bytes = new Uint8Array(text.length);
  for (let position = 0; position < text.length; position++) {
    const code = text.charCodeAt(position);
    if (code > 0xff) return undefined;
    bytes[position] = code;
  }
  return bytes;
}
