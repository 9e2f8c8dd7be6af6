import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { extensionId, frameHeadBytes, type HttpRequestHead, headerValue, streamLimits } from '@manypath/core';
import { ProxyRefusal, refuseTunnel } from '@manypath/forward';
import { FrameBody } from './frame-body.ts';
import { ProgramKeeper } from './program-keeper.ts';
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

/** What the extension offers as a subprotocol besides, before a name of its choice for the connection. */
const sessionWord = 'session.';
/** Letters of such a name. */
const longestName = 64;

interface Served {
  readonly connection: WebSocketConnection;
  readonly session: StreamSession;
  readonly name: string | undefined;
  body: FrameBody | undefined;
}

/** Takes the extension's connections for streams of web pages, and nobody else's. */
export class StreamServer {
  /** What the extension has to show; other for each run of the gateway. */
  readonly token = randomBytes(32).toString('base64url');
  readonly #options: StreamSessionOptions;
  readonly #keeper: ProgramKeeper;
  readonly #sessions = new Set<Served>();

  constructor(options: Omit<StreamSessionOptions, 'keeper'>) {
    this.#keeper = new ProgramKeeper(options.limits.streamProgramEndMs);
    this.#options = { ...options, keeper: this.#keeper };
  }

  /**
   * Takes a request that is for streams.
   *
   * @returns Whether it was: then it has been answered.
   */
  take(socket: Duplex, head: HttpRequestHead): boolean {
    const isBody = head.target.startsWith(`${streamsPath}/`);
    if (head.target !== streamsPath && !isBody) return false;
    try {
      if (isBody) this.#takeBody(socket, head);
      else this.#takeSocket(socket, head);
    } catch (error) {
      refuseTunnel(socket, error);
    }
    return true;
  }

  close(): void {
    for (const { connection } of this.#sessions) connection.close(1001, 'the gateway is ending');
    this.#keeper.close();
  }

  #takeSocket(socket: Duplex, head: HttpRequestHead): void {
    const words = (headerValue(head.headers, 'sec-websocket-protocol') ?? '')
      .split(',')
      .map(word => word.trim());
    const given = (prefix: string) => words.find(word => word.startsWith(prefix))?.slice(prefix.length);
    this.#check(head, given('token.'));
    if (!words.includes(streamsProtocol))
      throw new StreamsDeniedError('another version of streams is spoken here');
    if (this.#sessions.size >= this.#options.limits.streamSessions)
      throw new StreamsDeniedError('there are as many connections for streams as may be');
    const key = webSocketKey(head);
    if (key === undefined) throw new StreamsDeniedError('this is for WebSockets');
    this.#serve(socket, key, given(sessionWord));
  }

  #serve(socket: Duplex, key: string, name: string | undefined): void {
    const session = new StreamSession(this.#options);
    const messageBytes = frameHeadBytes + streamLimits.frameBytes;
    const { streamQueuedBytes: queuedBytes } = this.#options.limits;
    const connection = new WebSocketConnection(
      socket,
      {
        key,
        protocol: streamsProtocol,
        messageBytes,
        queuedBytes,
        allocate: length => session.allocate(length),
      },
      {
        onMessage: bytes => session.receive(bytes),
        onDrain: () => session.drained(),
        onClose: () => {
          this.#sessions.delete(served);
          session.close();
          served.body?.close();
        },
      },
    );
    const served: Served = { connection, session, name, body: undefined };
    this.#sessions.add(served);
    session.speakOn(connection);
  }

  /** What goes to the extension goes in the body of this answer from now on: browsers read that with less effort than messages. */
  #takeBody(socket: Duplex, head: HttpRequestHead): void {
    this.#check(head, headerValue(head.headers, 'authorization')?.replace(/^Bearer /, ''));
    const name = head.target.slice(streamsPath.length + 1, streamsPath.length + 1 + longestName);
    const served = [...this.#sessions].find(session => session.name === name && session.body === undefined);
    if (name === '' || served === undefined || head.method !== 'POST')
      throw new StreamsDeniedError('there is no such connection');
    const { session, connection } = served;
    served.body = new FrameBody(
      socket,
      this.#options.limits.streamQueuedBytes,
      () => session.drained(),
      () => connection.close(1000),
    );
    session.speakOn(served.body);
  }

  /**
   * A web page can make a browser connect to any port of this computer, under a name of its choice. What it cannot do is
   * to say that it is the extension, nor to know the token.
   */
  #check({ headers }: HttpRequestHead, token: string | undefined): void {
    if (headerValue(headers, 'origin') !== `chrome-extension://${extensionId}`)
      throw new StreamsDeniedError('only the extension may ask for streams');
    if (token === undefined || !isEqual(token, this.token))
      throw new StreamsDeniedError('the token is not that of this gateway');
  }
}

/** In a time that tells nothing. */
function isEqual(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}
