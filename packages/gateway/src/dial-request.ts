import type { Authority, ConnectionStatus } from '@manypath/core';
import type { Reach } from './lanes/lane.ts';

/** How a client asked for a connection. */
export type Dialect = ConnectionStatus['dialect'];

/** What a way is wanted for. */
export interface DialRequest {
  readonly target: Authority;
  readonly dialect: Dialect;
  /** Aborted when nobody wants it any more. */
  readonly signal: AbortSignal;
  /** `public`: the target must not turn out to be of this machine or any private network. Default: as it comes. */
  readonly reach: Reach | undefined;
  /** Takes the bytes for the target that are there already; they leave with the request to the relay. */
  takeFirstBytes(): Uint8Array;
  /** Takes them back: they could not be sent. */
  putBack(bytes: Uint8Array): void;
}
