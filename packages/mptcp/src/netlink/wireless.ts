import { AttributeWriter } from './attributes.ts';
import { NetlinkError, NetlinkUnsupportedError } from './errors.ts';
import { GenericNetlink } from './generic-family.ts';
import type { NetlinkOptions } from './netlink-socket.ts';

const NL80211_CMD_GET_INTERFACE = 5;
const NL80211_ATTR_IFINDEX = 3;
const NL80211_ATTR_SSID = 52;

/** Octets of the longest name (IEEE 802.11 §9.4.2.2). */
const longestSsid = 32;

/**
 * Tells the names of the wireless networks that this host is in (nl80211, include/uapi/linux/nl80211.h). Needs no privilege.
 */
export class WirelessReader {
  readonly #netlink: GenericNetlink;

  private constructor(netlink: GenericNetlink) {
    this.#netlink = netlink;
  }

  /** @returns `undefined` where the kernel knows nothing of wireless networks */
  static open(options: NetlinkOptions = {}): WirelessReader | undefined {
    try {
      return new WirelessReader(new GenericNetlink('nl80211', options));
    } catch (error) {
      if (error instanceof NetlinkUnsupportedError) return undefined;
      throw error;
    }
  }

  /** @returns Names (SSIDs) by index of the interface, of those that are in a network that has one. */
  names(): Map<number, string> {
    const found = new Map<number, string>();
    try {
      this.#netlink.dump(
        'read the wireless networks',
        NL80211_CMD_GET_INTERFACE,
        new AttributeWriter(),
        answer => {
          const index = answer.u32(NL80211_ATTR_IFINDEX);
          const name = ssidText(answer.bytes(NL80211_ATTR_SSID));
          if (index !== undefined && name !== undefined) found.set(index, name);
          return undefined;
        },
      );
    } catch (error) {
      // A name is good to have, and nothing depends on it.
      if (!(error instanceof NetlinkError)) throw error;
    }
    return found;
  }

  close(): void {
    this.#netlink.close();
  }
}

/**
 * A name that can be shown: an SSID is any octets, usually UTF-8. What is not, and control characters, are shown as U+FFFD.
 *
 * @returns `undefined` for a hidden or missing one.
 */
export function ssidText(octets: Uint8Array | undefined): string | undefined {
  if (octets === undefined || octets.byteLength === 0 || octets.byteLength > longestSsid) return undefined;
  if (octets.every(octet => octet === 0)) return undefined;
  return new TextDecoder().decode(octets).replaceAll(/\p{Cc}/gu, '\uFFFD');
}
