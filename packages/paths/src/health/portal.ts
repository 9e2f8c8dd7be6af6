import { encodeRequestHead, HttpResponseHeadParser, headerValue, parseAuthority } from '@manypath/core';
import { connect } from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import { pathsLimits } from '../limits.ts';
import type { Evidence } from './judge.ts';

/** Status of a page that is there for this question (RFC 9110 §15.3.5): nobody else answers so. */
const nothingToSay = 204;

/**
 * Asks over one path for a page whose answer is known. Whoever answers otherwise is a captive portal.
 *
 * @param url `http://` address of a page that answers 204.
 * @returns `free`, `portal`, or `undefined` when nobody answered: that says nothing of portals.
 */
export async function askForPortal(
  { name }: Path,
  url: string,
  signal: AbortSignal,
): Promise<Evidence | undefined> {
  const { authority, host, port, target } = placeOf(url);
  const timeout = pathsLimits.portalMs;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  try {
    const socket = await connect({ host, port, device: name, mptcp: false, timeout, signal: limit });
    const giveUp = () => socket.destroy();
    limit.addEventListener('abort', giveUp, { once: true });
    try {
      socket.on('error', () => {});
      socket.write(
        encodeRequestHead('GET', target, [
          ['Host', authority],
          ['Connection', 'close'],
        ]),
      );
      const parser = new HttpResponseHeadParser();
      for await (const bytes of socket) {
        const head = parser.push(bytes as Uint8Array);
        if (head === undefined) continue;
        const { status, headers } = head;
        if (status === nothingToSay) return { kind: 'free' };
        return { kind: 'portal', place: headerValue(headers, 'location') ?? `status ${status}` };
      }
    } finally {
      limit.removeEventListener('abort', giveUp);
      socket.destroy();
    }
  } catch {
    // Not reached, or no HTTP: whether the path works at all is another question.
  }
  return undefined;
}

function placeOf(url: string) {
  const { host: authority, pathname, search } = new URL(url);
  return { authority, ...parseAuthority(authority, 80), target: `${pathname}${search}` };
}
