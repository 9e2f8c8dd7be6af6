import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { LoadPrograms } from './load-programs.ts';
import { names, startWays, type Way } from './ways.ts';

/** A lab with two links that nothing slows down, and programs in it that lead to its origin in several ways. */
export interface Arena {
  readonly lab: Lab;
  readonly programs: LoadPrograms;
  readonly ways: readonly Way[];
}

/**
 * Builds an arena, hands it over and takes it down again.
 *
 * @param only Only ways in whose names this occurs, and those that they are compared with. Default: all.
 */
export async function inArena(
  only: string | undefined,
  measure: (arena: Arena) => Promise<void>,
): Promise<void> {
  using programs = new LoadPrograms();
  const lab = await Lab.create({
    links: [
      { name: 'a', rateMbit: null },
      { name: 'b', rateMbit: null },
    ],
  });
  const state = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
  try {
    const ways = chosen(await startWays(lab, state, programs), only);
    await measure({ lab, programs, ways });
  } finally {
    await lab.destroy();
    rmSync(state, { recursive: true, force: true });
  }
}

function chosen(ways: readonly Way[], only: string | undefined): readonly Way[] {
  if (only === undefined) return ways;
  const wanted = ways.filter(({ name }) => name.includes(only));
  const beside = new Set<string | undefined>([names.direct, ...wanted.map(({ peer }) => peer)]);
  return ways.filter(way => wanted.includes(way) || beside.has(way.name));
}
