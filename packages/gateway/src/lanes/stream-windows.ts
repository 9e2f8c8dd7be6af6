import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';

export interface StreamWindowsLimits {
  readonly streamWindowBytes: number;
  readonly narrowWindowBytes: number;
  readonly laneWaitingBytes: number;
}

/**
 * Keeps memory bounded while clients read slowly.
 *
 * Node credits the window of the connection at once, and that of a stream as its bytes are read: a client that does not
 * read never holds up the others, but a whole window of bytes waits for it. One window has to be large for one download to
 * fill fast paths, and many of them would take all memory. So while much is waiting, the windows of all streams are narrow
 * (SETTINGS_INITIAL_WINDOW_SIZE applies to open streams too, RFC 9113 §6.9.2).
 */
export class StreamWindows {
  readonly #session: ClientHttp2Session;
  readonly #limits: StreamWindowsLimits;
  readonly #streams = new Set<ClientHttp2Stream>();
  #narrow = false;

  constructor(session: ClientHttp2Session, limits: StreamWindowsLimits) {
    this.#session = session;
    this.#limits = limits;
  }

  /** Whether the windows are narrow now. */
  get narrow(): boolean {
    return this.#narrow;
  }

  add(stream: ClientHttp2Stream): void {
    this.#streams.add(stream);
    stream.once('close', () => this.#streams.delete(stream));
  }

  /** Looks at what is waiting; to be called now and then while streams are open. */
  adjust(): void {
    let waiting = 0;
    for (const { readableLength } of this.#streams) waiting += readableLength;
    const { laneWaitingBytes, narrowWindowBytes, streamWindowBytes } = this.#limits;
    const narrow = waiting > (this.#narrow ? laneWaitingBytes / 4 : laneWaitingBytes);
    if (narrow === this.#narrow || this.#session.destroyed || this.#session.pendingSettingsAck) return;
    this.#narrow = narrow;
    this.#session.settings({ initialWindowSize: narrow ? narrowWindowBytes : streamWindowBytes });
  }
}
