import type { Socket } from 'node:net';
import type { Client, Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';
import type { TunnelWish } from './front.ts';
import type { OnOver, Way } from './ways/way.ts';

/** Serves a client that wants a tunnel. Fulfilled when it is over. */
export function serveTunnel(wish: TunnelWish, dialer: Dialer, connection: Connection): Promise<void> {
  return new Promise(resolve => {
    const client = new TunnelClient(wish, connection, resolve);
    client.begin(dialer);
  });
}

/** A client whose bytes are copied as they are. */
class TunnelClient implements Client {
  readonly #wish: TunnelWish;
  readonly #connection: Connection;
  readonly #onDone: () => void;
  #first: Uint8Array = nothing;
  /** Whether it was told that its connection is open before that was so. */
  #isTold = false;

  constructor(wish: TunnelWish, connection: Connection, onDone: () => void) {
    this.#wish = wish;
    this.#connection = connection;
    this.#onDone = onDone;
  }

  begin(dialer: Dialer): void {
    const { socket, target } = this.#wish;
    socket.once('close', this.#onGone).on('error', ignore);
    // A client that is told at once sends its first bytes in time to leave with the request to the relay.
    this.#isTold = dialer.isSure(target);
    if (!this.#isTold) {
      void this.#connection.serve(this, dialer);
      return;
    }
    this.#wish.accept();
    whenSpoken(socket, first => {
      this.#first = first;
      void this.#connection.serve(this, dialer);
    });
  }

  takeFirstBytes(): Uint8Array {
    const { socket } = this.#wish;
    const first = this.#first;
    this.#first = nothing;
    return first.length > 0 || socket.readableLength === 0 ? first : (socket.read() ?? nothing);
  }

  putBack(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#wish.socket.unshift(bytes);
  }

  use(way: Way, onOver: OnOver): void {
    const { socket } = this.#wish;
    socket.off('close', this.#onGone);
    if (!this.#isTold) this.#wish.accept();
    this.putBack(this.#first);
    way.join(socket, () => {
      onOver();
      this.#onDone();
    });
  }

  refuse(error: unknown): void {
    const { socket } = this.#wish;
    socket.off('close', this.#onGone);
    // To a client that was told already, it looks like an origin that broke off.
    if (this.#isTold) socket.resetAndDestroy();
    else this.#wish.refuse(error);
    this.#onDone();
  }

  readonly #onGone = (): void => this.#connection.giveUp(new Error('the client went away'));
}

const nothing = new Uint8Array();

/** What breaks is told by `close`, or by what copies. */
function ignore(): void {}

/** Waits a moment for what the client says first; a client that waits for the other side says nothing. */
function whenSpoken(client: Socket, then: (first: Uint8Array) => void): void {
  if (client.readableLength > 0 || client.readableEnded || client.destroyed) {
    then(nothing);
    return;
  }
  const done = (first: Uint8Array): void => {
    clearTimeout(timer);
    client.off('data', done).off('end', onEnd).off('close', onEnd).pause();
    then(first);
  };
  const onEnd = (): void => done(nothing);
  const timer = setTimeout(onEnd, firstBytesMs);
  client.on('data', done).once('end', onEnd).once('close', onEnd).resume();
}

/** A client on this machine answers within a millisecond; more would only be lost on those that never speak first. */
const firstBytesMs = 5;
