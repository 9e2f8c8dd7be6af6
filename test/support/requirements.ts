import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const required = new Set((process.env.MANYPATH_REQUIRE ?? '').split(','));

/**
 * Why tests in network namespaces cannot run here; `undefined` when they can, or when CI wants them to fail
 * rather than be skipped.
 */
export function whyNoLab(): string | undefined {
  if (required.has('lab')) return undefined;
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  return spawnSync('ip', ['-V']).error ? 'iproute2 is not installed' : undefined;
}

/** Why tests in a real browser cannot run here; see {@link whyNoLab}. */
export function whyNoBrowser(): string | undefined {
  if (required.has('browser')) return undefined;
  return existsSync('/usr/bin/chromium') ? undefined : 'chromium is not installed';
}
