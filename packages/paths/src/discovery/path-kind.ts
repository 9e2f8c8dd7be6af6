import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Link } from '@manypath/mptcp';
import type { PathKind } from './path.ts';

/** Drivers of phones that share their connection by USB; network adapters on USB have other ones. */
const tetherDrivers = new Set(['rndis_host', 'cdc_ether', 'ipheth', 'cdc_subset']);
/** Drivers of modems. */
const modemDrivers = new Set([
  'qmi_wwan',
  'cdc_mbim',
  'huawei_cdc_ncm',
  'sierra_net',
  'hso',
  'mhi_net',
  'mtk_t7xx',
]);

/**
 * What sort of interface this is, from sysfs (Documentation/ABI/testing/sysfs-class-net).
 *
 * `usb` is a phone that shares its connection; an Ethernet adapter on USB is `ethernet`. `virtual` means that there is no
 * device behind it: veth, bridge, macvlan and the like.
 *
 * @param root Where sysfs is mounted.
 */
export function pathKind(link: Pick<Link, 'name' | 'kind'>, root = '/sys'): PathKind {
  const folder = join(root, 'class/net', link.name);
  const type = deviceType(folder);
  if (type === 'wlan' || existsSync(`${folder}/wireless`) || existsSync(`${folder}/phy80211`)) return 'wifi';
  const driver = nameOf(`${folder}/device/driver`);
  if (type === 'wwan' || modemDrivers.has(driver ?? '')) return 'cellular';
  if (link.kind === 'wwan' || /^(wwan|wwp|rmnet)/.test(link.name)) return 'cellular';
  if (link.kind !== undefined) return 'virtual';
  if (!existsSync(`${folder}/device`)) return existsSync(folder) ? 'virtual' : 'unknown';
  return tetherDrivers.has(driver ?? '') ? 'usb' : 'ethernet';
}

function deviceType(folder: string): string | undefined {
  try {
    return /^DEVTYPE=(.*)$/m.exec(readFileSync(`${folder}/uevent`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

function nameOf(link: string): string | undefined {
  try {
    return basename(readlinkSync(link));
  } catch {
    return undefined;
  }
}
