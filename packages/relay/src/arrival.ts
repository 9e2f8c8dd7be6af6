import { type Clock, systemClock } from '@manypath/core';
import type { AcceptedConnection } from '@manypath/mptcp';
import { peerKey } from './peer-address.ts';
import type { Stranger } from './stranger-places.ts';

/** First byte of a TLS record with a handshake message, and the bytes of the head of a record; RFC 8446 §5.1. */
const handshake = 22;
const recordHeadBytes = 5;
const recordBytes = 16_384 + 256;

const peeked = Buffer.allocUnsafeSlow(recordHeadBytes + recordBytes);

/** What a connection has brought: nothing or not enough yet, the first record of a TLS handshake, or something else. */
export type Brought = 'nothing' | 'part' | 'hello' | 'nonsense';

/** A connection on which no TLS is spoken yet: a descriptor, and when it came. */
export class Arrival implements Stranger {
  readonly connection: AcceptedConnection;
  readonly peer: string;
  /** When it came, by the clock. */
  readonly since: number;
  /** Nobody was answered yet: of one address, the one that came first has waited for its turn in vain. */
  readonly isUnderWay = false;
  readonly #onReset: (arrival: Arrival) => void;

  /** @param onReset Called when it has to make room, before it is closed. */
  constructor(
    connection: AcceptedConnection,
    onReset: (arrival: Arrival) => void,
    clock: Clock = systemClock,
  ) {
    this.connection = connection;
    this.peer = peerKey(connection.peer.address);
    this.since = clock.now();
    this.#onReset = onReset;
  }

  get progressAt(): number {
    return this.since;
  }

  reset(): void {
    this.#onReset(this);
    this.connection.reset();
  }

  /** Looks at what has come, and leaves it there. */
  look(): Brought {
    const count = this.connection.peek(peeked);
    if (count === undefined) return 'nothing';
    if (count === 0 || peeked[0] !== handshake) return 'nonsense';
    if (count < recordHeadBytes) return 'part';
    const length = peeked.readUInt16BE(3);
    if (length === 0 || length > recordBytes) return 'nonsense';
    return count >= recordHeadBytes + length ? 'hello' : 'part';
  }
}
