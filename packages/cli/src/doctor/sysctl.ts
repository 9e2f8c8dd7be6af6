import { readFileSync, writeFileSync } from 'node:fs';
import { bad, type Finding } from './finding.ts';

/** The value of a sysctl by its dotted name; `undefined` when there is none. */
export function sysctl(name: string): string | undefined {
  try {
    return readFileSync(fileOf(name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** A finding that a sysctl is wrong, which can be put right by writing it. */
export function wrongSysctl(id: string, cause: string, name: string, value: string): Finding {
  const quoted = value.includes(' ') ? `"${value}"` : value;
  return bad(id, cause, `sudo sysctl -w ${name}=${quoted}`, () => {
    try {
      writeFileSync(fileOf(name), value);
      return true;
    } catch {
      return false;
    }
  });
}

function fileOf(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`;
}
