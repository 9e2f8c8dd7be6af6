import { decodeLatin1, encodeLatin1 } from './bytes.ts';

/** Base64url without padding; RFC 4648 §5. */
export function encodeBase64Url(bytes: Uint8Array): string {
  return btoa(decodeLatin1(bytes)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/**
 * Reads base64url without padding, in its one canonical form: of two texts that mean the same bytes only one is
 * taken, so that texts can be compared in place of bytes.
 *
 * @returns `undefined` when it is anything else.
 */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return undefined;
  const bytes = encodeLatin1(atob(text.replaceAll('-', '+').replaceAll('_', '/')));
  return bytes !== undefined && encodeBase64Url(bytes) === text ? bytes : undefined;
}
