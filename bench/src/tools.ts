import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ManypathError } from '@manypath/core';

/** A program that a benchmark cannot do without is not installed. */
export class BenchToolMissingError extends ManypathError {
  constructor(tool: string) {
    super('MANYPATH_BENCH_TOOL_MISSING', `the program ${tool} is not installed`, {
      hint: `install the Debian package ${debianPackage(tool)}`,
    });
  }
}

/** Administrators' programs are often outside a user's PATH. */
const searchPath = [process.env.PATH ?? '', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].join(delimiter);

const packages: Record<string, string> = {
  ip: 'iproute2',
  unshare: 'util-linux',
  taskset: 'util-linux',
  cc: 'g++',
  'ss-local': 'shadowsocks-libev',
  'ss-server': 'shadowsocks-libev',
};

/** The Debian package that brings a program. */
export function debianPackage(tool: string): string {
  return packages[tool] ?? tool;
}

/** The full path of a program, or `undefined` when it is not installed. */
export function findTool(name: string): string | undefined {
  for (const folder of searchPath.split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

/**
 * The full path of a program.
 *
 * @throws BenchToolMissingError `MANYPATH_BENCH_TOOL_MISSING`
 */
export function requireTool(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new BenchToolMissingError(name);
  return path;
}
