import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Authority } from '@manypath/core';
import type { ForwardLimits, ReadableLeg } from '@manypath/forward';
import type { SocketStatus } from '../socket-status.ts';

/** Told once, when both directions of a way are over and what used it is closed. */
export type OnOver = () => void;

/**
 * A way to a target that is open: straight from this host, or through the relay. Nobody else knows what it is made of. It is used
 * once, as one of {@link join}, {@link asStream} and {@link asLeg}.
 */
export interface Way {
  /** Whether it goes through the relay. */
  readonly isRelayed: boolean;
  /** Bytes that came from the target so far. */
  readonly bytesIn: number;
  /** Bytes that went there. */
  readonly bytesOut: number;
  /** Whether one direction has ended. */
  readonly isHalfClosed: boolean;
  /** Whether it waits for a network, and goes on by itself when there is one. Default: it cannot. */
  readonly isWaiting?: boolean;
  /** What the kernel says of the connection out of this host that carries it, alone or with others: a few microseconds. */
  facts(): SocketStatus;
  /** Where it leaves this host, as far as that is known. */
  readonly from: Authority | undefined;
  /** Who is at its other end, where that is not the relay. */
  readonly to: Authority | undefined;
  /** Copies bytes between a client and the target until both have ended. The client is the way's from now on. */
  join(client: Socket, onOver: OnOver): void;
  /** The same as a stream. */
  asStream(onOver: OnOver): Duplex;
  /** The same to be read chunk by chunk; `onOver` is told when its stream has closed. */
  asLeg(limits: ForwardLimits, onOver: OnOver): ReadableLeg;
  /** Lets the kernel keep only about so many bytes of it, for a reader that may be slow. What a relay holds has bounds of its own. */
  boundAhead(bytes: number): void;
  /** Breaks it off, so that both sides see that it did not end in order. */
  abort(reason: Error): void;
}
