import type { Duplex } from 'node:stream';
import type { Client, Connection } from './connection.ts';
import type { Dialer } from './dialer.ts';
import type { OnOver, Way } from './ways/way.ts';

/** Opens a way for plain HTTP requests; `connection` accounts for it until the stream closes. */
export function openForRequests(
  signal: AbortSignal,
  dialer: Dialer,
  connection: Connection,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => connection.giveUp(signal.reason);
    const settled = (): void => signal.removeEventListener('abort', giveUp);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    void connection.serve(new RequestClient(resolve, reject), dialer).then(settled);
  });
}

/** Whoever forwards requests: it gets a stream. */
class RequestClient implements Client {
  readonly #onStream: (stream: Duplex) => void;
  readonly #onRefused: (error: unknown) => void;

  constructor(onStream: (stream: Duplex) => void, onRefused: (error: unknown) => void) {
    this.#onStream = onStream;
    this.#onRefused = onRefused;
  }

  /** A request is written when there is a stream. */
  takeFirstBytes(): Uint8Array {
    return new Uint8Array();
  }

  putBack(): void {}

  use(way: Way, onOver: OnOver): void {
    this.#onStream(way.asStream(onOver));
  }

  refuse(error: unknown): void {
    this.#onRefused(error);
  }
}
