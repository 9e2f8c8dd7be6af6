import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';

export interface StreamWindowsLimits {
  readonly streamWindowBytes: number;
  readonly narrowWindowBytes: number;
  readonly laneWaitingBytes: number;
}

/**
 * How much the relay may send ahead in each tunnel of a lane (SETTINGS_INITIAL_WINDOW_SIZE applies to open streams too, RFC 9113
 * §6.9.2). Usually a lot, for one download to fill fast paths. Less for two reasons.
 *
 * Memory stays bounded while clients read slowly: Node credits the window of the connection at once, and that of a stream
 * as its bytes are read, so a client that does not read never holds up the others, but a whole window of bytes waits for it.
 * While much is waiting, the windows of all streams are narrow.
 *
 * And at the beginning of a transfer something is to be left for a path that joins in a moment later (see {@link hold}).
 */
export class StreamWindows {
  readonly #session: ClientHttp2Session;
  readonly #limits: StreamWindowsLimits;
  readonly #streams = new Set<ClientHttp2Stream>();
  #narrow = false;
  #openingBytes: number | undefined;
  /** What the relay was told last. */
  #told: number;

  constructor(session: ClientHttp2Session, limits: StreamWindowsLimits) {
    this.#session = session;
    this.#limits = limits;
    this.#told = limits.streamWindowBytes;
    session.on('localSettings', () => this.#tell());
  }

  /** Whether the windows are narrow because much is waiting. */
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
    const { laneWaitingBytes } = this.#limits;
    this.#narrow = waiting > (this.#narrow ? laneWaitingBytes / 4 : laneWaitingBytes);
    this.#tell();
  }

  /** Has each stream send no more than so many bytes ahead; `undefined` when there is no reason for that any more. */
  hold(openingBytes: number | undefined): void {
    this.#openingBytes = openingBytes;
    this.#tell();
  }

  #tell(): void {
    const { narrowWindowBytes, streamWindowBytes } = this.#limits;
    const most = this.#narrow ? narrowWindowBytes : streamWindowBytes;
    const window = Math.min(most, this.#openingBytes ?? most);
    if (window === this.#told || this.#session.destroyed || this.#session.pendingSettingsAck) return;
    this.#told = window;
    this.#session.settings({ initialWindowSize: window });
  }
}
