import { errorCode } from '@manypath/core';
import { ConnectError } from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import type { DialCandidate } from './candidates.ts';
import type { RaceEntry } from './path-race.ts';

/** Who won a race: by which path, after how many milliseconds, and when that was. */
interface Win {
  readonly path: Path;
  readonly tookMs: number;
  readonly now: number;
}

/** The paths on which a race met silence: no answer, not even a refusal, for longer than the winner took. */
export function silentPaths(
  entries: readonly RaceEntry<DialCandidate>[],
  { path, tookMs, now }: Win,
): Path[] {
  const answered = new Set([path.name]);
  for (const { candidate, error } of entries) {
    if (candidate.path !== undefined && isAnswer(error)) answered.add(candidate.path.name);
  }
  const silent = new Map<string, Path>();
  for (const { candidate, startedAt, error } of entries) {
    if (candidate.path === undefined || answered.has(candidate.path.name)) continue;
    const isSilent = error === undefined ? now - startedAt > patience(candidate, tookMs) : isSilence(error);
    if (isSilent) silent.set(candidate.path.name, candidate.path);
  }
  return [...silent.values()];
}

/** How long a path has to answer until it counts as silent, in milliseconds, when another one took `tookMs`. */
function patience({ rttMs }: DialCandidate, tookMs: number): number {
  const own = rttMs === undefined ? 200 : 2 * rttMs + 50;
  return Math.max(own, 1.5 * tookMs);
}

/** Whether an error came from the other side: the path carried it here. */
function isAnswer(error: unknown): boolean {
  return codesOf(error).some(code => code === 'ECONNREFUSED' || code === 'ECONNRESET');
}

function isSilence(error: unknown): boolean {
  return codesOf(error).includes('ETIMEDOUT');
}

function codesOf(error: unknown): string[] {
  const within = error instanceof ConnectError ? error.attempts.map(attempt => attempt.error) : [error];
  return within.flatMap(one => errorCode(one) ?? []);
}
