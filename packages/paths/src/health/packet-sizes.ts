import type { Socket } from 'node:net';
import { askEcho, info } from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import { pathsLimits } from '../limits.ts';
import type { PathOutlook } from '../outlook.ts';

/** What a connection over a path was made to, and how large its packets get. */
export interface SizeQuestion {
  readonly address: string;
  /** Bytes of payload in a segment of it. */
  readonly segmentBytes: number;
}

/** Small enough for every way on the internet. */
const smallPacketBytes = 84;
/** Bytes of IP and TCP heads with timestamps. */
const headBytes = { 4: 52, 6: 72 } as const;
/** What a connection over a path of small packets has in a segment: packets of 576 bytes (RFC 791). */
const smallSegmentBytes = { 4: 536, 6: 516 } as const;

/**
 * Asks the other side of a connection for echoes over a path, small and as large as the connection's packets are.
 *
 * @returns `small` when only the small one came back, and no router said why; `undefined` when nobody answers such questions.
 */
export async function askSizes(
  { name }: Path,
  { address, segmentBytes }: SizeQuestion,
  signal: AbortSignal,
): Promise<'all' | 'small' | undefined> {
  const large = segmentBytes + headBytes[address.includes(':') ? 6 : 4];
  const answer = await askEcho({
    address,
    device: name,
    sizes: [smallPacketBytes, large],
    timeoutMs: pathsLimits.sizesMs,
    signal,
  });
  if (answer === undefined || (answer.answered.size === 0 && !answer.toldTooLarge)) return undefined;
  return answer.toldTooLarge || answer.answered.has(large) ? 'all' : 'small';
}

/**
 * Whether a connection was made for larger packets than its paths take, as they are thought of now, while a new one would be made
 * for small ones.
 */
export function isTooLargeForPaths(socket: Socket, outlooks: readonly PathOutlook[]): boolean {
  const working = outlooks.filter(({ health, tier }) => health !== 'dead' && tier !== 'never');
  if (working.length === 0 || !working.every(({ takesSmallOnly }) => takesSmallOnly)) return false;
  return info(socket).subflows.some(
    ({ remote, advertisedSegmentSize }) => advertisedSegmentSize > smallSegment(remote.address),
  );
}

/** The largest segment of connections to an address over a path of small packets, in bytes. */
export function smallSegment(address: string): number {
  return smallSegmentBytes[address.includes(':') ? 6 : 4];
}
