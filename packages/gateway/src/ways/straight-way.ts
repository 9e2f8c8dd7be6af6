import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Authority } from '@manypath/core';
import {
  boundBuffers,
  type ForwardLimits,
  type ReadableLeg,
  type RelayHandle,
  readableLeg,
  relayBytes,
} from '@manypath/forward';
import { resetSocket } from '@manypath/mptcp';
import { type SocketStatus, socketStatus } from '../socket-status.ts';
import type { OnOver, Way } from './way.ts';

/**
 * Told when bytes begin to move, and through which socket: the copier may take another one for the same connection. What it returns is
 * called when that is over.
 */
export type OnBegin = (socket: Socket, received: () => number) => () => void;

/** A connection of this host's own to a target. */
export class StraightWay implements Way {
  readonly isRelayed = false;
  readonly #dialled: Socket;
  readonly #onBegin: OnBegin;
  #joined: RelayHandle | undefined;
  #leg: ReadableLeg | undefined;

  constructor(socket: Socket, onBegin: OnBegin) {
    this.#dialled = socket;
    this.#onBegin = onBegin;
    // What breaks is told by `close`, or by the copier.
    socket.on('error', () => {});
  }

  get bytesIn(): number {
    return this.#joined?.bytesFromUpstream ?? this.#socket.bytesRead;
  }

  get bytesOut(): number {
    return this.#joined?.bytesFromClient ?? this.#socket.bytesWritten;
  }

  get isHalfClosed(): boolean {
    if (this.#joined !== undefined) return this.#joined.state === 'half-closed';
    return this.#socket.readableEnded !== this.#socket.writableEnded;
  }

  get from(): Authority | undefined {
    const { localAddress: host, localPort: port } = this.#socket;
    return host === undefined || port === undefined ? undefined : { host, port };
  }

  get to(): Authority | undefined {
    const { remoteAddress: host, remotePort: port } = this.#socket;
    return host === undefined || port === undefined ? undefined : { host, port };
  }

  facts(): SocketStatus {
    return socketStatus(this.#socket);
  }

  join(client: Socket, onOver: OnOver): void {
    const joined = relayBytes(client, this.#dialled);
    this.#joined = joined;
    const end = this.#begin();
    void joined.done.then(() => {
      end();
      onOver();
    });
  }

  asStream(onOver: OnOver): Duplex {
    this.#endWith(this.#dialled, onOver);
    return this.#dialled;
  }

  asLeg(limits: ForwardLimits, onOver: OnOver): ReadableLeg {
    const leg = readableLeg(this.#dialled, limits);
    this.#leg = leg;
    this.#endWith(leg.stream, onOver);
    return leg;
  }

  boundAhead(bytes: number): void {
    boundBuffers(this.#socket, bytes);
  }

  abort(reason: Error): void {
    if (this.#joined === undefined) resetSocket(this.#socket);
    else this.#joined.abort(reason);
  }

  /** What its bytes go through now. */
  get #socket(): Socket {
    return (this.#joined?.upstream ?? this.#leg?.stream ?? this.#dialled) as Socket;
  }

  #begin(): () => void {
    return this.#onBegin(this.#socket, () => this.bytesIn);
  }

  #endWith(stream: Duplex, onOver: OnOver): void {
    const end = this.#begin();
    stream.once('close', () => {
      end();
      onOver();
    });
  }
}
