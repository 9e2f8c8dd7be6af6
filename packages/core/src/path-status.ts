import type { PathTier } from './config.ts';

/**
 * `up`; `degraded`: it works, but loses much or answers slowly; `dead`: up, and nothing comes back; `captive`: a portal
 * answers in place of the world; `unknown`: not in use and not tried yet.
 */
export type PathHealth = 'up' | 'degraded' | 'dead' | 'captive' | 'unknown';

/** What was carried against what the user allows. */
export interface PathUsage {
  readonly todayBytes: number;
  /** Since the reset day of the month. */
  readonly monthBytes: number;
  /** `null`: no cap. */
  readonly dailyCapBytes: number | null;
  readonly monthlyCapBytes: number | null;
  readonly capReached: boolean;
}

/** What connections of the gateway moved over a path since its start, in bytes of payload. */
export interface Carried {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** One way out of the host. */
export interface PathStatus {
  readonly name: string;
  readonly index: number;
  readonly kind: 'ethernet' | 'wifi' | 'cellular' | 'usb' | 'virtual' | 'unknown';
  readonly addresses: readonly string[];
  readonly gateway: string | null;
  readonly up: boolean;
  readonly carrier: boolean;
  /** Whether the kernel has an MPTCP endpoint on it. */
  readonly endpoint: boolean;
  /** Bytes of the interface since it exists, of all programs. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** In force now: what the user set, or what a reached cap makes of it. */
  readonly tier: PathTier;
  readonly health: PathHealth;
  /** Why it is not `up`, in words. */
  readonly healthReason: string | null;
  /** The network it leads into, e.g. the name of the Wi-Fi; `null` where nothing tells. */
  readonly network: string | null;
  /** Round trip when nothing was in the way, in milliseconds. */
  readonly rttMs: number | null;
  /** What it carried at best on this network, in Mbit/s. */
  readonly downMbps: number | null;
  readonly upMbps: number | null;
  readonly usage: PathUsage;
}
