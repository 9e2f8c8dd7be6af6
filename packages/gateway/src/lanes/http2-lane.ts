import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  connect as http2Connect,
} from 'node:http2';
import type { Socket } from 'node:net';
import {
  type Authority,
  aheadHeader,
  type Clock,
  formatAuthority,
  formatBasicCredentials,
  type Pairing,
  reachHeader,
  type Timer,
} from '@manypath/core';
import { LaneLostError } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import { DecoupledSocket } from './decoupled-socket.ts';
import type { Lane, LaneEvents, LaneState, Reach, Tunnel, TunnelOptions } from './lane.ts';
import type { LaneSocket } from './lane-socket.ts';
import { RateMeter } from './rate-meter.ts';
import { refusalOf, tunnelFailure } from './relay-answer.ts';
import { StreamTunnel } from './stream-tunnel.ts';
import { StreamWindows } from './stream-windows.ts';
import { held, tamed } from './tame-stream.ts';

export interface Http2LaneOptions {
  readonly pairing: Pairing;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly events: LaneEvents;
  /** Bytes that the relay may hold for each tunnel and direction. Default: as many as it likes. */
  readonly aheadBytes?: number | undefined;
  /** Told when something is sent on the lane after it was quiet for a while: a transfer may begin. */
  readonly onActivity?: (() => void) | undefined;
}

/**
 * A target that every relay refuses or fails at once, and only after it has checked the secret. Its answer also makes
 * the connection a full MPTCP one, which further paths can join (RFC 8684 §3.2).
 */
export const probeTarget: Authority = { host: '127.0.0.1', port: 1 };

/** A lane that carries many tunnels: CONNECT streams of one HTTP/2 connection (RFC 9113 §8.5). */
export class Http2Lane implements Lane {
  readonly protocol = 'h2';
  readonly socket: Socket;
  readonly #stream: Socket;
  readonly #decoupled: DecoupledSocket;
  readonly #session: ClientHttp2Session;
  readonly #options: Http2LaneOptions;
  readonly #relay: string;
  readonly #authorization: string | undefined;
  readonly #meter = new RateMeter();
  readonly #windows: StreamWindows;
  #state: LaneState = 'ready';
  #streams = 0;
  #sentAt = Number.NEGATIVE_INFINITY;
  #idleSince: number;
  #heardAt: number;
  #checking: Timer | undefined;
  /** Since when, and since which byte, a sign of life is waited for. */
  #unanswered: { readonly since: number; readonly bytesRead: number } | undefined;
  #failure: Error | undefined;

  /**
   * Begins HTTP/2 on a connection, and has the relay check the secret.
   *
   * @throws RelayRefusedError `MANYPATH_RELAY_REFUSED`
   * @throws LaneLostError `MANYPATH_LANE_LOST`
   */
  static async open(socket: LaneSocket, options: Http2LaneOptions, signal: AbortSignal): Promise<Http2Lane> {
    const lane = new Http2Lane(socket, options);
    try {
      await lane.#probe(signal);
      return lane;
    } catch (error) {
      lane.close();
      throw error;
    }
  }

  private constructor({ stream, raw }: LaneSocket, options: Http2LaneOptions) {
    const { pairing, limits, clock } = options;
    this.socket = raw;
    this.#stream = stream;
    this.#options = options;
    this.#relay = formatAuthority(pairing.address);
    this.#authorization =
      pairing.user === ''
        ? undefined
        : formatBasicCredentials({ user: pairing.user, password: pairing.secret });
    this.#idleSince = clock.now();
    this.#heardAt = this.#idleSince;
    stream.on('data', () => {
      this.#heardAt = clock.now();
    });
    this.#decoupled = new DecoupledSocket(stream, limits.laneQueuedBytes, () => this.#noteActivity());
    this.#session = http2Connect(`https://${this.#relay}`, {
      createConnection: () => this.#decoupled,
      settings: { enablePush: false, initialWindowSize: limits.streamWindowBytes },
      // Node counts what waits in all streams against this, in megabytes, and refuses new streams above it.
      maxSessionMemory: 1024,
    });
    this.#windows = new StreamWindows(this.#session, limits);
    this.#session.once('connect', () => this.#session.setLocalWindowSize(limits.laneWindowBytes));
    this.#session.on('error', error => this.#lost(error));
    this.#session.once('close', () => this.#lost());
    this.#session.on('goaway', () => this.#drain());
    raw.on('error', error => this.#lost(error));
    // Half an HTTP/2 connection is none, and a session that has been asked to go does not tell that it lost its own.
    for (const socket of [stream, raw]) {
      socket.allowHalfOpen = false;
      socket.once('end', () => this.#lost(new Error('the relay ended the connection')));
      socket.once('close', () => this.#lost());
    }
  }

  get state(): LaneState {
    return this.#state;
  }

  get streams(): number {
    return this.#streams;
  }

  get capacity(): number {
    return this.#session.remoteSettings?.maxConcurrentStreams ?? 100;
  }

  get rate(): number {
    this.#meter.sample(this.#bytes(), this.#options.clock.now());
    return this.#meter.rate;
  }

  get idleSince(): number {
    return this.#idleSince;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  async open(
    target: Authority,
    { signal, firstBytes, reach }: TunnelOptions,
    early = false,
  ): Promise<Tunnel> {
    if (this.#state === 'closed' || this.#state === 'draining') throw new LaneLostError(this.#failure);
    const stream = this.#request(target, reach);
    const release = early ? held(stream) : () => {};
    this.#windows.add(stream);
    this.#streams += 1;
    stream.once('close', () => this.#streamClosed());
    if (firstBytes.length > 0) stream.write(firstBytes);
    return new StreamTunnel(stream, this.socket, this.#answered(stream, signal, early).then(release));
  }

  tend(): void {
    this.#windows.adjust();
  }

  /** Has the relay send no more than so many bytes ahead in each tunnel; `undefined`: as much as there is memory for. */
  hold(openingBytes: number | undefined): void {
    this.#windows.hold(openingBytes);
  }

  check(answerMs: number): void {
    if (this.#state === 'closed') return;
    this.#unanswered ??= { since: this.#options.clock.now(), bytesRead: this.#stream.bytesRead };
    this.#ping();
    this.#checking?.cancel();
    this.#checking = this.#options.clock.after(answerMs, () => this.#lookForAnswer());
  }

  close(): void {
    this.#lost();
  }

  #request(target: Authority, reach?: Reach): ClientHttp2Stream {
    const headers = {
      [constants.HTTP2_HEADER_METHOD]: 'CONNECT',
      [constants.HTTP2_HEADER_AUTHORITY]: formatAuthority(target),
      ...(this.#authorization === undefined ? {} : { 'proxy-authorization': this.#authorization }),
      ...(this.#options.aheadBytes === undefined ? {} : { [aheadHeader]: this.#options.aheadBytes }),
      ...(reach === 'public' ? { [reachHeader]: reach } : {}),
    };
    try {
      return tamed(this.#session.request(headers, { endStream: false }), this.#decoupled);
    } catch (error) {
      throw new LaneLostError(error);
    }
  }

  async #answered(stream: ClientHttp2Stream, signal: AbortSignal, early: boolean): Promise<void> {
    const { clock, limits } = this.#options;
    const timer = clock.after(limits.relayAnswerMs, () => stream.close(constants.NGHTTP2_CANCEL));
    const onAbort = () => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const answer = await answerOf(stream, early ? 0 : limits.refusalBytes);
      const failure = tunnelFailure(answer, this.#relay);
      if (failure === undefined) return;
      stream.close(constants.NGHTTP2_CANCEL);
      throw failure;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      timer.cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const stream = this.#request(probeTarget);
    stream.on('error', () => {});
    const onAbort = () => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const { status } = await answerOf(stream, 0);
      const refusal = refusalOf(status, this.#relay);
      if (refusal !== undefined) throw refusal;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  #ping(): void {
    try {
      this.#session.ping(error => {
        if (error === null) this.#alive();
      });
    } catch (error) {
      this.#lost(error);
    }
  }

  #lookForAnswer(): void {
    const { clock, limits } = this.#options;
    if (this.#unanswered === undefined || this.#state === 'closed') return;
    const silentMs = clock.now() - this.#unanswered.since;
    // An answer may be stuck behind a bulk transfer; what matters is that something arrives.
    if (this.#stream.bytesRead > this.#unanswered.bytesRead) {
      this.#alive();
    } else if (silentMs >= limits.laneSilenceMs) {
      this.#lost(new Error(`no answer for ${Math.round(silentMs)} ms`));
    } else {
      this.#doubt();
      this.#checking = clock.after(suspectCheckMs, () => this.#lookForAnswer());
    }
  }

  #alive(): void {
    this.#unanswered = undefined;
    this.#checking?.cancel();
    if (this.#state !== 'suspect') return;
    this.#state = 'ready';
    this.#options.events.changed(this);
  }

  #doubt(): void {
    if (this.#state !== 'ready') return;
    this.#state = 'suspect';
    this.#options.events.changed(this);
  }

  /** GOAWAY: what is open may end in peace, nothing new begins (RFC 9113 §6.8). */
  #drain(): void {
    if (this.#state === 'closed') return;
    this.#state = 'draining';
    if (this.#streams === 0) this.#lost();
    else this.#options.events.changed(this);
  }

  #streamClosed(): void {
    this.#streams -= 1;
    this.#idleSince = this.#options.clock.now();
    if (this.#state === 'draining' && this.#streams === 0) this.#lost();
    else if (this.#state !== 'closed') this.#options.events.changed(this);
  }

  #lost(failure?: unknown): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#failure = new LaneLostError(failure);
    this.#checking?.cancel();
    // With an error, or its tunnels would seem to end as they should.
    this.#session.destroy(this.#failure);
    this.#stream.destroy();
    this.socket.destroy();
    this.#options.events.changed(this);
  }

  #noteActivity(): void {
    const now = this.#options.clock.now();
    const wasQuiet = now - this.#sentAt > quietMs;
    this.#sentAt = now;
    if (wasQuiet) this.#options.onActivity?.();
  }

  #bytes(): number {
    return this.#stream.bytesRead + this.#stream.bytesWritten;
  }
}

/** A lane on which nothing was sent for so long is quiet, in milliseconds. */
const quietMs = 1000;
/** How often a lane that did not answer is looked at, in milliseconds. */
const suspectCheckMs = 250;

/** Waits for the head of the answer, and for some of the body unless the tunnel is open. */
async function answerOf(
  stream: ClientHttp2Stream,
  bodyBytes: number,
): Promise<{ status: number; body: string }> {
  const status = await statusOf(stream, bodyBytes === 0);
  if (status < 300 || bodyBytes === 0) return { status, body: '' };
  return { status, body: await beginningOf(stream, bodyBytes) };
}

/** What a refusal says of itself, up to about `most` characters. */
function beginningOf(stream: ClientHttp2Stream, most: number): Promise<string> {
  return new Promise(resolve => {
    let text = '';
    const done = () => resolve(text);
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (text.length > most) done();
    });
    stream.once('end', done).once('close', done);
  });
}

/** @param drop Whether a stream that is refused is destroyed, because its reader must not see the refusal. */
function statusOf(stream: ClientHttp2Stream, drop: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    stream.once('response', headers => {
      const status = headers[':status'] ?? 0;
      resolve(status);
      // With an error: else it would seem to end as it should.
      if (drop && status >= 300) stream.destroy(new LaneLostError());
    });
    stream.once('error', error => reject(new LaneLostError(error)));
    stream.once('close', () => reject(new LaneLostError()));
  });
}
