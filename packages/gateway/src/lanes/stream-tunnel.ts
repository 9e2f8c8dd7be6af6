import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Authority } from '@manypath/core';
import {
  type ForwardLimits,
  type ReadableLeg,
  type RelayHandle,
  readableLeg,
  relayBytes,
} from '@manypath/forward';
import { resetSocket } from '@manypath/mptcp';
import { type ByteCount, countBytes } from '../counted-stream.ts';
import { type SocketStatus, socketStatus } from '../socket-status.ts';
import { nearEnd } from '../ways/socket-ends.ts';
import type { OnOver } from '../ways/way.ts';
import type { Tunnel } from './lane.ts';

/** A tunnel that is a stream: of HTTP/2, or a connection of its own through a proxy. It ends with its lane. */
export class StreamTunnel implements Tunnel {
  readonly isRelayed = true;
  readonly to = undefined;
  readonly answered: Promise<void>;
  readonly #stream: Duplex;
  readonly #carrier: Socket;
  #joined: RelayHandle | undefined;
  #count: ByteCount | undefined;

  /**
   * @param carrier The connection out of this host that the stream is of.
   * @param answered See {@link Tunnel.answered}.
   */
  constructor(stream: Duplex, carrier: Socket, answered: Promise<void>) {
    this.#stream = stream;
    this.#carrier = carrier;
    this.answered = answered;
    stream.on('error', () => {});
  }

  get bytesIn(): number {
    return this.#joined?.bytesFromUpstream ?? this.#count?.bytesIn ?? 0;
  }

  get bytesOut(): number {
    return this.#joined?.bytesFromClient ?? this.#count?.bytesOut ?? 0;
  }

  get isHalfClosed(): boolean {
    if (this.#joined !== undefined) return this.#joined.state === 'half-closed';
    return this.#stream.readableEnded !== this.#stream.writableEnded;
  }

  get from(): Authority | undefined {
    return nearEnd(this.#carrier);
  }

  facts(): SocketStatus {
    return socketStatus(this.#carrier);
  }

  join(client: Socket, onOver: OnOver): void {
    this.#joined = relayBytes(client, this.#stream);
    void this.#joined.done.then(onOver);
  }

  asStream(onOver: OnOver): Duplex {
    this.#count = countBytes(this.#stream);
    this.#stream.once('close', onOver);
    return this.#stream;
  }

  asLeg(limits: ForwardLimits, onOver: OnOver): ReadableLeg {
    const leg = readableLeg(this.#stream, limits);
    this.#count = countBytes(leg.stream);
    leg.stream.once('close', onOver);
    return leg;
  }

  /** The relay was told. */
  boundAhead(): void {}

  abort(reason: Error): void {
    if (this.#joined !== undefined) this.#joined.abort(reason);
    else if (this.#stream instanceof Socket) resetSocket(this.#stream);
    else this.#stream.destroy(reason);
  }
}
