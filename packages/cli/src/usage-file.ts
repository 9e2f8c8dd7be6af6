import { join } from 'node:path';

/** Where it is kept how much each path carried. */
export function usageFile(stateDir: string): string {
  return join(stateDir, 'paths', 'usage.json');
}
