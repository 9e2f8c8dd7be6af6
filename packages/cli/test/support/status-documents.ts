import type { ConnectionStatus, PathStatus, RelayStatus, StatusDocument } from '@manypath/core';

/** A path that is fine, with what is said otherwise. */
export function pathStatus(about: Partial<PathStatus> = {}): PathStatus {
  return {
    name: 'wlan0',
    index: 3,
    kind: 'wifi',
    addresses: ['192.0.2.10', '2001:db8::10'],
    gateway: '192.0.2.1',
    up: true,
    carrier: true,
    endpoint: true,
    bytesIn: 0,
    bytesOut: 0,
    tier: 'primary',
    health: 'up',
    healthReason: null,
    network: 'home',
    rttMs: 12.5,
    downMbps: 54.2,
    upMbps: 9.1,
    usage: { todayBytes: 0, monthBytes: 0, dailyCapBytes: null, monthlyCapBytes: null, capReached: false },
    ...about,
  };
}

/** A multipath connection by the relay, with what is said otherwise. */
export function connectionStatus(about: Partial<ConnectionStatus> = {}): ConnectionStatus {
  return {
    id: 1,
    target: 'download.example.org:443',
    dialect: 'connect',
    route: 'relay',
    state: 'open',
    mptcp: true,
    multipath: true,
    reason: 'it is multipath',
    subflows: [],
    bytesIn: 0,
    bytesOut: 0,
    ageMs: 3200,
    ...about,
  };
}

/** A relay that is reached, with what is said otherwise. */
export function relayStatus(about: Partial<RelayStatus> = {}): RelayStatus {
  return {
    address: 'relay.example:8443',
    state: 'ready',
    reason: null,
    lanes: [],
    retryInMs: null,
    waiting: null,
    resumed: 0,
    ...about,
  };
}

/** A status document of a gateway with a relay. */
export function statusDocument(about: Partial<StatusDocument> = {}): StatusDocument {
  return {
    paths: [],
    connections: [],
    relay: relayStatus(),
    multipath: {
      reason: 'multipath',
      paths: ['a', 'b'],
      text: '2 paths are in use: a and b.',
      command: null,
    },
    totals: { connections: 0, opened: 0, failed: 0, bytesIn: 0, bytesOut: 0 },
    ...about,
  };
}
