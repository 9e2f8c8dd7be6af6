import type { PathOutlook } from '../outlook.ts';

/** What is assumed of a path of which nothing is known, and nothing of any other either. */
const assumedRttMs = 40;
const assumedMbps = 20;
/** Initial congestion window, RFC 6928, of segments that fit an Ethernet frame. */
const initialWindowBytes = 14_600;

/** Whether a path may take part in connections at all. */
export function isWilling({ tier, health }: PathOutlook): boolean {
  return tier !== 'never' && health !== 'dead' && health !== 'captive';
}

/**
 * How long a transfer takes over a path alone, in milliseconds: the round trips of slow start, and its bytes at the path's rate.
 *
 * @param others Of a path of which something is not known yet, that is taken to be as it is with the others.
 */
export function transferMs(outlook: PathOutlook, bytes: number, others: readonly PathOutlook[]): number {
  const rttMs = outlook.rttMs ?? average(others.map(other => other.rttMs)) ?? assumedRttMs;
  const mbps = outlook.downMbps ?? average(others.map(other => other.downMbps)) ?? assumedMbps;
  const bytesPerMs = (mbps * 1000) / 8;
  // The window doubles each round trip until it fills the path.
  const ramp = Math.min(bytes, Math.max(initialWindowBytes, bytesPerMs * rttMs));
  const rounds = 1 + Math.log2(Math.max(1, ramp / initialWindowBytes));
  return rttMs * rounds + bytes / bytesPerMs;
}

function average(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter(value => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0) / known.length;
}
