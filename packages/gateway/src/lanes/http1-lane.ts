import type { Socket } from 'node:net';
import {
  type Authority,
  aheadHeader,
  type Clock,
  encodeRequestHead,
  formatAuthority,
  formatBasicCredentials,
  HttpResponseHeadParser,
  type Pairing,
  reachHeader,
} from '@manypath/core';
import type { Steward } from '@manypath/paths';
import { LaneLostError } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import { probeTarget } from './http2-lane.ts';
import type { Lane, LaneEvents, LaneState, Reach, Tunnel, TunnelOptions } from './lane.ts';
import type { LaneDial } from './lane-dial.ts';
import { type LaneSocket, openLaneSocket } from './lane-socket.ts';
import { type RelayAnswer, refusalOf, tunnelFailure } from './relay-answer.ts';
import { StreamTunnel } from './stream-tunnel.ts';

export interface Http1LaneOptions {
  readonly pairing: Pairing;
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly events: LaneEvents;
  readonly dial: LaneDial;
  /** Bytes that the proxy may hold for each tunnel and direction. Default: as many as it likes. */
  readonly aheadBytes?: number | undefined;
  /** Chooses the subflows of tunnels; without it the kernel does. */
  readonly steward?: Steward | undefined;
}

/**
 * The way through a proxy that has no HTTP/2: every tunnel is a connection of its own, made when it is needed, since
 * such proxies close connections on which nothing was asked for.
 */
export class Http1Lane implements Lane {
  readonly protocol = 'http/1.1';
  readonly socket = undefined;
  readonly failure = undefined;
  readonly capacity = Number.POSITIVE_INFINITY;
  readonly rate = 0;
  /** Each tunnel sees for itself whether the proxy is there. */
  readonly heardAt = Number.POSITIVE_INFINITY;
  readonly #options: Http1LaneOptions;
  readonly #relay: string;
  readonly #closing = new AbortController();
  #state: LaneState = 'ready';
  #streams = 0;
  #idleSince: number;

  /**
   * Has the proxy check the secret on a connection that is used for nothing else.
   *
   * @throws RelayRefusedError `MANYPATH_RELAY_REFUSED`
   * @throws LaneLostError `MANYPATH_LANE_LOST`
   */
  static async open(socket: LaneSocket, options: Http1LaneOptions, signal: AbortSignal): Promise<Http1Lane> {
    const lane = new Http1Lane(options);
    try {
      await lane.#probe(socket, signal);
      return lane;
    } finally {
      socket.stream.destroy();
      socket.raw.destroy();
    }
  }

  private constructor(options: Http1LaneOptions) {
    this.#options = options;
    this.#relay = formatAuthority(options.pairing.address);
    this.#idleSince = options.clock.now();
  }

  get state(): LaneState {
    return this.#state;
  }

  get streams(): number {
    return this.#streams;
  }

  get idleSince(): number {
    return this.#idleSince;
  }

  async open(target: Authority, { signal, firstBytes, reach }: TunnelOptions): Promise<Tunnel> {
    const { pairing, limits, clock, dial } = this.#options;
    const given = new AbortController();
    const timer = clock.after(limits.relayAnswerMs, () => given.abort(new LaneLostError()));
    const both = AbortSignal.any([signal, given.signal, this.#closing.signal]);
    this.#streams += 1;
    try {
      const open = () => openLaneSocket(pairing, dial, both);
      const { stream, raw } = await this.#connected(open, signal);
      this.#options.steward?.steer(raw, { isInUse: () => true });
      stream.once('close', () => this.#tunnelClosed());
      const { answer, rest } = await this.#ask(stream, target, both, reach);
      const failure = tunnelFailure(answer, this.#relay);
      if (failure !== undefined) {
        stream.destroy();
        throw failure;
      }
      if (rest.length > 0) stream.unshift(rest);
      // Only now: not every proxy keeps what comes before it has answered.
      if (firstBytes.length > 0) stream.write(firstBytes);
      return new StreamTunnel(stream, raw, Promise.resolve());
    } finally {
      timer.cancel();
    }
  }

  tend(): void {}

  /** Tunnels have connections of their own: one that cannot be made tells that the proxy is gone. */
  check(): void {}

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#closing.abort(new LaneLostError());
    this.#options.events.changed(this);
  }

  async #connected(open: () => Promise<LaneSocket>, signal: AbortSignal): Promise<LaneSocket> {
    try {
      return await open();
    } catch (error) {
      this.#tunnelClosed();
      signal.throwIfAborted();
      this.close();
      throw new LaneLostError(error);
    }
  }

  async #probe({ stream }: LaneSocket, signal: AbortSignal): Promise<void> {
    const { answer } = await this.#ask(stream, probeTarget, signal);
    const refusal = refusalOf(answer.status, this.#relay);
    if (refusal !== undefined) throw refusal;
  }

  async #ask(
    stream: Socket,
    target: Authority,
    signal: AbortSignal,
    reach?: Reach,
  ): Promise<{ answer: RelayAnswer; rest: Uint8Array }> {
    const { pairing } = this.#options;
    const authority = formatAuthority(target);
    const authorization =
      pairing.user === ''
        ? []
        : [
            [
              'Proxy-Authorization',
              formatBasicCredentials({ user: pairing.user, password: pairing.secret }),
            ] as const,
          ];
    const { aheadBytes } = this.#options;
    const reaches = reach === 'public' ? [[reachHeader, reach] as const] : [];
    const ahead = aheadBytes === undefined ? [] : [[aheadHeader, String(aheadBytes)] as const];
    stream.write(
      encodeRequestHead('CONNECT', authority, [['Host', authority], ...authorization, ...reaches, ...ahead]),
    );
    return answerOf(stream, signal);
  }

  #tunnelClosed(): void {
    this.#streams -= 1;
    this.#idleSince = this.#options.clock.now();
  }
}

/**
 * Reads the head of the answer; of a refusal also what of its body came with it. By `readable`, which leaves the stream as
 * if nobody had read from it: not flowing, and not paused either.
 */
function answerOf(stream: Socket, signal: AbortSignal): Promise<{ answer: RelayAnswer; rest: Uint8Array }> {
  const parser = new HttpResponseHeadParser();
  return new Promise((resolve, reject) => {
    const settle = () => {
      stream.off('readable', onReadable).off('end', onLost).off('close', onLost).off('error', onLost);
      signal.removeEventListener('abort', onAbort);
      stream.on('error', () => {});
    };
    const fail = (error: unknown) => {
      settle();
      stream.destroy();
      reject(error);
    };
    const onLost = (cause?: unknown) => fail(new LaneLostError(cause));
    const onAbort = () => fail(signal.reason);
    const onReadable = () => {
      try {
        const bytes: Buffer | null = stream.read();
        const head = bytes === null ? undefined : parser.push(bytes);
        if (head === undefined) return;
        settle();
        const body = head.status < 300 ? '' : Buffer.from(parser.rest).toString('utf8');
        resolve({ answer: { status: head.status, body }, rest: parser.rest });
      } catch (error) {
        onLost(error);
      }
    };
    stream.on('readable', onReadable).once('end', onLost).once('close', onLost).once('error', onLost);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
