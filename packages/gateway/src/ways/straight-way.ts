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
import { farEnd, nearEnd } from './socket-ends.ts';
import type { OnOver, Way } from './way.ts';

/** Told when bytes begin to move. What it returns is called when that is over. */
export type OnBegin = (received: () => number) => () => void;

/** A connection of this host's own to a target. */
export class StraightWay implements Way {
  readonly isRelayed = false;
  readonly #socket: Socket;
  readonly #onBegin: OnBegin;
  #joined: RelayHandle | undefined;

  constructor(socket: Socket, onBegin: OnBegin) {
    this.#socket = socket;
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
    return nearEnd(this.#socket);
  }

  get to(): Authority | undefined {
    return farEnd(this.#socket);
  }

  facts(): SocketStatus {
    return socketStatus(this.#socket);
  }

  join(client: Socket, onOver: OnOver): void {
    const joined = relayBytes(client, this.#socket);
    this.#joined = joined;
    const end = this.#begin();
    void joined.done.then(() => {
      end();
      onOver();
    });
  }

  asStream(onOver: OnOver): Duplex {
    this.#endWith(onOver);
    return this.#socket;
  }

  asLeg(limits: ForwardLimits, onOver: OnOver): ReadableLeg {
    this.#endWith(onOver);
    return readableLeg(this.#socket, limits);
  }

  boundAhead(bytes: number): void {
    boundBuffers(this.#socket, bytes);
  }

  abort(reason: Error): void {
    if (this.#joined === undefined) resetSocket(this.#socket);
    else this.#joined.abort(reason);
  }

  #begin(): () => void {
    return this.#onBegin(() => this.bytesIn);
  }

  #endWith(onOver: OnOver): void {
    const end = this.#begin();
    this.#socket.once('close', () => {
      end();
      onOver();
    });
  }
}
