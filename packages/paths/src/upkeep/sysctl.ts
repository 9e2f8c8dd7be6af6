import { readFileSync, writeFileSync } from 'node:fs';

/** Whether a sysctl is one of those that are changed here, by its path below /proc/sys. */
export function isOurSysctl(name: string): boolean {
  return /^net\/(ipv4\/conf\/(?!\.+\/)[^/]{1,15}\/rp_filter|mptcp\/(path_manager|pm_type))$/.test(name);
}

/** The value of a sysctl by its path below /proc/sys, or `undefined` when there is none. */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Sets a sysctl. @returns Whether the kernel took it; an interface may be gone by now. */
export function writeSysctl(name: string, value: string): boolean {
  try {
    writeFileSync(`/proc/sys/${name}`, value);
    return true;
  } catch {
    return false;
  }
}
