/** How a relay is told where to go: it knows, or is asked by HTTP CONNECT or SOCKS5. */
export type RelayDialect = 'none' | 'connect' | 'socks5';

/** Where something listens. */
export interface Place {
  /** An IPv4 address. */
  readonly host: string;
  readonly port: number;
}

/** What the load generator is asked to do. */
export interface LoadJob {
  /** Port of the relay. */
  readonly port: number;
  /** The sink, for relays that have to be told. */
  readonly target: Place;
  readonly dialect: RelayDialect;
  /** Bytes in all, over all streams. */
  readonly bytes: number;
  readonly streams: number;
  readonly mptcp: boolean;
}

export interface LoadReport {
  /** Whether every connection to the relay was really Multipath TCP. */
  readonly multipath: boolean;
  /** Why one was not, in words. */
  readonly reason: string;
}

export interface SinkReport {
  readonly bytes: number;
  /** Whether the connection from the relay was really Multipath TCP. */
  readonly multipath: boolean;
  /** Why it was not, in words. */
  readonly reason: string;
}
