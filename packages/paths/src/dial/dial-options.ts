import type { Socket } from 'node:net';
import type { Clock } from '@manypath/core';
import type { ConnectOptions, Lookup, OpenDescriptor } from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import type { SizeQuestion } from '../health/packet-sizes.ts';
import type { PathOutlook } from '../outlook.ts';
import type { AskRoute } from './leads-out.ts';
import type { WinnerMemory } from './winner-memory.ts';

/** Options of `dialOverPaths`. */
export interface DialOptions {
  /** A name or an IP literal; an IPv6 literal may stand in brackets. */
  readonly host: string;
  readonly port: number;
  /** What is known of the paths now. With one path or none, the routing table decides. */
  readonly outlooks: () => readonly PathOutlook[];
  /** Learns which path answered, and begins with it the next time. */
  readonly remembered?: WinnerMemory | undefined;
  /** Name of the path to begin with, if it is as good as the others and nothing speaks against it. */
  readonly prefer?: string | undefined;
  /** Use these paths only, by name; default: all that may be used. */
  readonly only?: readonly string[] | undefined;
  /** Default: the system's resolver. */
  readonly lookup?: Lookup | undefined;
  /** Gives up: the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for everything, names included. Default 30 000. */
  readonly timeout?: number | undefined;
  /** Ask for Multipath TCP. Default true. */
  readonly mptcp?: boolean | undefined;
  /** As in `connect` of @manypath/mptcp. */
  readonly allowHalfOpen?: boolean | undefined;
  readonly congestion?: string | undefined;
  readonly filterAddress?: ((address: string) => Error | undefined) | undefined;
  readonly openSocket?: OpenDescriptor | undefined;
  /**
   * Where the host has addresses of both families and some path lacks one, dial IPv4 by an IPv6 socket: only to such a connection
   * subflows of both families can be added. Default false.
   */
  readonly joinsBothFamilies?: boolean | undefined;
  readonly keepAlive?: ConnectOptions['keepAlive'] | undefined;
  /** Longest wait for one way before the next is tried beside it, in milliseconds. Default 250 (RFC 8305 §5). */
  readonly attemptDelay?: number | undefined;
  /** How long other paths have until one for backup is tried, in milliseconds. Default 1000. */
  readonly backupDelay?: number | undefined;
  /** Asks the kernel for routes (`RouteSocket.routeTo`); without it, only the paths' own networks are known as near. */
  readonly askRoute?: AskRoute | undefined;
  /** Told what was learned of a path; `rttMs` of `answered` is the time of the handshake. */
  readonly onOutcome?: ((path: string, outcome: 'answered' | 'silent', rttMs?: number) => void) | undefined;
  /** Finds out which packets pass over a path, from a connection that was just made over it. Default: nobody asks. */
  readonly examineSizes?: ((path: string, question: SizeQuestion) => Promise<SizesPass>) | undefined;
  readonly clock?: Clock | undefined;
}

/** Which packets pass; `undefined`: nobody tells. */
type SizesPass = 'all' | 'small' | undefined;

/** A connection, and the way it took. */
export interface DialledSocket {
  readonly socket: Socket;
  /** The path it leaves by; `undefined` when it leaves by none, such as to this machine. */
  readonly path: Path | undefined;
  /** The address that answered. */
  readonly address: string;
  /** All addresses that the host has and that may be dialled. */
  readonly addresses: readonly string[];
}
