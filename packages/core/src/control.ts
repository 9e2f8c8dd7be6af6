import type { MultipathUse } from './multipath-use.ts';
import type { Carried, PathStatus } from './path-status.ts';

/** What `manypath status --json` prints, and what the control socket answers to `status`. */
export interface StatusDocument {
  readonly paths: readonly PathStatus[];
  readonly connections: readonly ConnectionStatus[];
  /** `null` when no relay is configured. */
  readonly relay: RelayStatus | null;
  /** How connections use the paths together, and why not. */
  readonly multipath: MultipathUse;
  readonly totals: Totals;
}

/** One established TCP leg of a connection, on a path that is not known to be dead. */
export interface SubflowStatus {
  /** `host:port` */
  readonly local: string;
  readonly remote: string;
  /** Name of the path it is on; `null` when it is on none, or that is not known. */
  readonly path?: string | null;
  /** Smoothed round-trip time in milliseconds. */
  readonly rttMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly retransmits: number;
  /** Congestion window in segments. */
  readonly congestionWindow: number;
}

/** One connection of a browser or another program. */
export interface ConnectionStatus {
  readonly id: number;
  /** `host:port`. */
  readonly target: string;
  /** `stream`: a web page's, by the extension. */
  readonly dialect: 'connect' | 'forward' | 'socks4' | 'socks5' | 'local' | 'stream';
  /** `null` until the way is decided. */
  readonly route: 'mptcp' | 'relay' | 'tcp' | null;
  /** `waiting`: for a network; it goes on by itself at the exact byte when there is one. */
  readonly state: 'dialling' | 'open' | 'half-closed' | 'waiting';
  /** Whether the leg out of this host is Multipath TCP now, so that more paths can join. */
  readonly mptcp: boolean;
  /** Whether subflows on two paths or more carry it, or can at once: established ones on paths that work. */
  readonly multipath: boolean;
  /** Why the leg is or is not Multipath TCP, in words. */
  readonly reason: string;
  readonly subflows: readonly SubflowStatus[];
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly ageMs: number;
}

/** The relay as the gateway sees it. */
export interface RelayStatus {
  /** `host:port` */
  readonly address: string;
  readonly state: 'connecting' | 'ready' | 'away' | 'refused';
  readonly reason: string | null;
  readonly lanes: readonly LaneStatus[];
  readonly retryInMs: number | null;
  /** Connections that wait because nothing comes over any lane, and for how long; `null` while none does. */
  readonly waiting: WaitingStatus | null;
  /** Connections that went on after such a wait since the gateway started. */
  readonly resumed: number;
}

/** Connections that wait for a network. */
export interface WaitingStatus {
  readonly connections: number;
  /** How long nothing has come, in milliseconds. */
  readonly forMs: number;
}

/** By their names in TLS (RFC 7301). */
export type LaneProtocol = 'manypath/1' | 'h2' | 'http/1.1';

/** One warm connection to the relay. */
export interface LaneStatus {
  readonly state: 'ready' | 'draining';
  /** What is spoken on it; only what goes by `manypath/1` outlives it. */
  readonly protocol: LaneProtocol;
  readonly streams: number;
  /** As of a connection. */
  readonly mptcp: boolean;
  readonly multipath: boolean;
  readonly subflows: readonly SubflowStatus[];
}

/** Sums since the gateway started. */
export interface Totals {
  /** Open now. */
  readonly connections: number;
  readonly opened: number;
  readonly failed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Version of the messages on this page; a client that speaks another one says so instead of guessing. */
export const controlProtocol = 1;

/** What each path moved in the last two minutes, in bytes of payload a second, oldest first. */
export interface TrafficHistory {
  /** Between two figures, in milliseconds. */
  readonly stepMs: number;
  readonly paths: readonly {
    readonly name: string;
    readonly down: readonly number[];
    readonly up: readonly number[];
  }[];
}

/** Something that happened to paths, connections or the relay. No entry names a host that was visited. */
export interface LogEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `failover`: a connection went on over another path; `resumed`: some went on over a new connection to the relay. */
  readonly kind: 'path' | 'failover' | 'resumed' | 'relay';
  readonly path: string | null;
  /** In words. */
  readonly text: string;
  /** How long nothing arrived on the connection, in milliseconds. */
  readonly stallMs: number | null;
}

/** A connection that did not come about. It is kept in memory only, and seldom for long: it tells what was visited. */
export interface FailureEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `host:port` */
  readonly target: string;
  readonly code: string;
  /** In words. */
  readonly reason: string;
}

/** What was learned of paths and kept. */
export interface PathRecord {
  readonly path: string;
  /** Bytes by day (`2026-11-23`), both directions together, as they count against caps. */
  readonly days: Readonly<Record<string, number>>;
  readonly networks: readonly {
    readonly network: string;
    readonly rttMs: number | null;
    readonly downMbps: number | null;
    readonly upMbps: number | null;
  }[];
}

/** The configuration as an options page shows it. */
export interface SettingsDocument {
  /** The configuration file, which need not be there. */
  readonly file: string;
  /** What it says, but for the pairing with the relay, which is a secret. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Which relay is in use, and who said so; `null` when there is none. */
  readonly relay: {
    readonly address: string;
    /** `pairing`: what `manypath pair` keeps. */
    readonly from: 'command line' | 'environment' | 'configuration' | 'pairing';
  } | null;
  /** Whether the browser of `manypath browse` is kept from changes of the network; `null` when there is none. */
  readonly isolation: { readonly isolated: boolean; readonly reason: string | null } | null;
}

/** One thing that `manypath doctor` looked at. */
export interface DoctorFinding {
  readonly id: string;
  readonly ok: boolean;
  readonly cause: string;
  readonly fix: string | null;
}

/** What a client of the control socket asks, one a line. */
export interface ControlRequest {
  readonly id: number;
  readonly method: ControlMethod;
  readonly params?: unknown;
}

/**
 * `hello` → {@link ControlHello}; `overview` → {@link Overview}; `status` → {@link StatusDocument}; `history` →
 * {@link TrafficHistory}; `events` → {@link LogEntry} list, oldest first; `failures` → {@link FailureEntry} list, oldest first; `records` → {@link PathRecord} list; `settings` →
 * {@link SettingsDocument}; `configure` with keys of the configuration to replace, `null` for those to remove, → {@link
 * SettingsDocument}; `doctor` → {@link DoctorFinding} list; `subscribe`; `stop`.
 */
export type ControlMethod =
  | 'hello'
  | 'overview'
  | 'status'
  | 'history'
  | 'events'
  | 'failures'
  | 'records'
  | 'settings'
  | 'configure'
  | 'doctor'
  | 'subscribe'
  | 'stop';

/** Who answers. */
export interface ControlHello {
  readonly protocol: number;
  /** Of Manypath, e.g. `0.1.0`. */
  readonly version: string;
  /** Where the proxy listens, as the browser reaches it. */
  readonly proxy: { readonly host: string; readonly port: number };
  /**
   * A proxy that behaves as if there were no Manypath, for the browser that was started with this gateway for its proxy and
   * may have no other way out; else `null`.
   */
  readonly straightProxy: { readonly host: string; readonly port: number } | null;
  /** Where streams of web pages come in, on loopback, and what the extension shows there (docs/STREAMS.md). */
  readonly streams: {
    readonly host: string;
    readonly port: number;
    readonly path: string;
    readonly protocol: string;
    readonly token: string;
  };
}

/** What the toolbar shows: little enough to be asked once a second. */
export interface Overview {
  readonly paths: readonly PathStatus[];
  /** What each path carried since the gateway's start, by its name. */
  readonly carried: Readonly<Record<string, Carried>>;
  readonly relay: {
    readonly address: string;
    readonly state: RelayStatus['state'];
    readonly reason: string | null;
    readonly waiting: RelayStatus['waiting'];
  } | null;
  /** How connections use the paths together, and why not. */
  readonly multipath: MultipathUse;
  readonly totals: Totals;
}

/**
 * What the native messaging host tells the extension before anything else, and whenever it changes. All other messages
 * are requests to, and replies of, the control socket as they are.
 */
export interface HostNotice {
  readonly manypath: 'host';
  readonly protocol: number;
  readonly version: string;
  /** `away`: no gateway runs with this state folder; requests are then answered with `MANYPATH_GATEWAY_NOT_RUNNING`. */
  readonly gateway: 'ready' | 'away';
  /** Of the gateway, when it is there. */
  readonly hello: ControlHello | null;
}

/** What it is answered. */
export type ControlReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };

/**
 * Header field of a CONNECT request with the value `public`: the target must be reached by a public address, whatever the relay
 * allows otherwise. Other proxies do not know it.
 */
export const reachHeader = 'manypath-reach';

/**
 * Header field of a CONNECT request: how many bytes a tunnel may hold that its reader has not asked for yet, in the relay for
 * each direction. It is for all tunnels of an HTTP/2 connection; the first request counts. Without it, as many as fill fast paths.
 */
export const aheadHeader = 'manypath-ahead';

/** Where a Manypath relay lets paired gateways measure a path: `GET ?bytes=N` or `POST`, by HTTP/2. */
export const rateServicePath = '/.well-known/manypath/rate';
