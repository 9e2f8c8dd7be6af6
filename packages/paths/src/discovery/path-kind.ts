import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import type { Link } from '@manypath/mptcp';
import type { PathKind } from './path.ts';

/**
 * What sort of interface this is, from sysfs (Documentation/ABI/testing/sysfs-class-net).
 *
 * `virtual` means that there is no device behind it: veth, bridge, macvlan and the like.
 */
export function pathKind(link: Link): PathKind {
  const folder = `/sys/class/net/${link.name}`;
  if (existsSync(`${folder}/wireless`) || existsSync(`${folder}/phy80211`)) return 'wifi';
  const type = deviceType(folder);
  if (type === 'wlan') return 'wifi';
  if (type === 'wwan' || /^(wwan|wwp|rmnet)/.test(link.name)) return 'cellular';
  if (link.kind !== undefined) return 'virtual';
  const device = target(`${folder}/device`);
  if (device === undefined) return existsSync(folder) ? 'virtual' : 'unknown';
  return device.includes('/usb') ? 'usb' : 'ethernet';
}

function deviceType(folder: string): string | undefined {
  try {
    return /^DEVTYPE=(.*)$/m.exec(readFileSync(`${folder}/uevent`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function target(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}
