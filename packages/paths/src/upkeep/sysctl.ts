import { readFileSync, writeFileSync } from 'node:fs';

/** Whether a sysctl is one of those that are changed here, by its path below /proc/sys. */
export function isOurSysctl(name: string): boolean {
  return /^net\/(ipv4\/(conf\/(?!\.+\/)[^/]{1,15}\/rp_filter|tcp_mtu_probing)|mptcp\/(path_manager|pm_type))$/.test(
    name,
  );
}

/** The value of a sysctl by its path below /proc/sys, or `undefined` when there is none. */
export function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * Where larger packets begin to be lost without a word, the kernel resends smaller ones only if this is not 0; at 1 it tries after
 * some three seconds (ip-sysctl.rst, tcp_mtu_probing).
 */
export const packetSizeProbing = { name: 'net/ipv4/tcp_mtu_probing', never: '0', whenLost: '1' } as const;

/** Whether the kernel resends in smaller packets what is lost again and again. */
export function resendsSmaller(): boolean {
  const value = readSysctl(packetSizeProbing.name);
  return value !== undefined && value !== packetSizeProbing.never;
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
