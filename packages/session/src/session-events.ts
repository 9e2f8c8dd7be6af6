import type { Carrier } from './carrier.ts';
import type { Tunnel } from './tunnel.ts';

/** Which end of a session this is. The gateway makes carriers; either end opens tunnels. */
export type SessionEnd = 'gateway' | 'relay';

/** What a session tells. None of these may throw. */
export interface SessionEvents {
  /** The other end opens a tunnel. Its user is to be set before this returns; it is accepted or reset then or later. */
  onOpen(tunnel: Tunnel): void;
  /** A carrier is not used any more, though it was not {@link Session.leave left} here: its connection is to be closed. */
  onLeft(carrier: Carrier): void;
  /** An answer to {@link Session.ping} came. */
  onPong?(carrier: Carrier, nonce: number): void;
  /** A datagram of a flow came; the bytes belong to whoever is told. */
  onDatagram?(flow: number, bytes: Uint8Array): void;
  /** The other end wants no more tunnels in this session. */
  onGoAway?(): void;
  /** The session is over, and its tunnels have been told. Connections of carriers are to be closed, once they have sent what they have. */
  onOver?(reason: Error, carriers: readonly Carrier[]): void;
}
