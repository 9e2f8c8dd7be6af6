import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { extensionId, frameHeadBytes, type HttpRequestHead, headerValue, streamLimits } from '@manypath/core';
import { ProxyRefusal, refuseTunnel } from '@manypath/forward';
import { StreamSession, type StreamSessionOptions } from './stream-session.ts';
import { WebSocketConnection, webSocketKey } from './websocket-connection.ts';

/** Where the streams of web pages come in, on the proxy port. */
export const streamsPath = '/.well-known/manypath/streams';
/** The subprotocol of docs/STREAMS.md. */
export const streamsProtocol = 'manypath.streams.1';

/** Somebody other than the extension asked for streams. */
export class StreamsDeniedError extends ProxyRefusal {
  constructor(reason: string) {
    super(403, 'MANYPATH_STREAMS_DENIED', `streams are not for this request: ${reason}`);
  }
}

/** Takes the extension's connections for streams of web pages, and nobody else's. */
export class StreamServer {
  /** What the extension has to show; other for each run of the gateway. */
  readonly token = randomBytes(32).toString('base64url');
  readonly #options: StreamSessionOptions;
  readonly #sessions = new Set<WebSocketConnection>();

  constructor(options: StreamSessionOptions) {
    this.#options = options;
  }

  /**
   * Takes a request that is for streams.
   *
   * @returns Whether it was: then it has been answered.
   */
  take(socket: Duplex, head: HttpRequestHead): boolean {
    if (head.target !== streamsPath) return false;
    const refusal = this.#refusal(head);
    const key = webSocketKey(head);
    if (refusal !== undefined || key === undefined) {
      refuseTunnel(socket, refusal ?? new StreamsDeniedError('this is for WebSockets'));
      return true;
    }
    this.#serve(socket, key);
    return true;
  }

  close(): void {
    for (const connection of this.#sessions) connection.close(1001, 'the gateway is ending');
  }

  #serve(socket: Duplex, key: string): void {
    const session = new StreamSession(this.#options);
    const messageBytes = frameHeadBytes + streamLimits.frameBytes;
    const connection = new WebSocketConnection(
      socket,
      { key, protocol: streamsProtocol, messageBytes, allocate: length => session.allocate(length) },
      {
        onMessage: bytes => session.receive(bytes),
        onDrain: () => session.drained(),
        onClose: () => {
          this.#sessions.delete(connection);
          session.close();
        },
      },
    );
    this.#sessions.add(connection);
    session.speakOn(connection);
  }

  /**
   * A web page can make a browser connect to any port of this computer, under a name of its choice. What it cannot do is
   * to say that it is the extension, nor to know the token.
   */
  #refusal({ headers }: HttpRequestHead): StreamsDeniedError | undefined {
    if (headerValue(headers, 'origin') !== `chrome-extension://${extensionId}`)
      return new StreamsDeniedError('only the extension may ask for streams');
    const offered = (headerValue(headers, 'sec-websocket-protocol') ?? '')
      .split(',')
      .map(word => word.trim());
    if (!offered.includes(streamsProtocol))
      return new StreamsDeniedError('another version of streams is spoken here');
    if (!offered.some(word => isEqual(word, `token.${this.token}`)))
      return new StreamsDeniedError('the token is not that of this gateway');
    if (this.#sessions.size >= this.#options.limits.streamSessions)
      return new StreamsDeniedError('there are as many connections for streams as may be');
    return undefined;
  }
}

/** In a time that tells nothing. */
function isEqual(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
