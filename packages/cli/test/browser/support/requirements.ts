import { existsSync } from 'node:fs';
import { isOnPath } from '../../../src/system-packages.ts';

/**
 * Why the tests of a kind cannot run here, or `undefined` when they can. Where they must run
 * (`MANYPATH_REQUIRE` names the kind) a missing piece is an error, never a skip.
 */
export function missingFor(kind: 'browser' | 'lab', programs: readonly string[]): string | undefined {
  const missing = programs.filter(program => !isOnPath(program));
  if (process.getuid?.() !== 0) missing.unshift('root');
  if (!existsSync(new URL('../../../dist/browser/namespace-holder.js', import.meta.url)))
    missing.push('a build');
  if (missing.length === 0) return undefined;
  const reason = `needs ${missing.join(', ')}`;
  if ((process.env.MANYPATH_REQUIRE ?? '').split(',').includes(kind)) throw new Error(reason);
  return reason;
}
