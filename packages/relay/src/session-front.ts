import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  type Authority,
  type Clock,
  errorCode,
  errorMessage,
  type Logger,
  parseAuthority,
} from '@manypath/core';
import { ProxyRefusal, statusOf } from '@manypath/forward';
import {
  frameTypes,
  resetCodes,
  Session,
  SessionProtocolError,
  type Tunnel,
  type TunnelReset,
} from '@manypath/session';
import {
  CarrierSocket,
  decodeHello,
  encodeRefused,
  encodeWelcome,
  exporterOf,
  firstFrame,
  HelloError,
  provesSecret,
  provesSession,
  type ReceivedHello,
  refusals,
  TunnelJoint,
  WaitingUser,
} from '@manypath/transport';
import type { DialContext } from './dial.ts';
import type { RelayLimits } from './limits.ts';
import { type KeptSession, SessionStore } from './session-store.ts';
import type { Traffic } from './traffic.ts';

/** A gateway asks for something that this relay does not do (400 `MANYPATH_RELAY_TUNNEL_KIND`). */
export class TunnelKindError extends ProxyRefusal {
  constructor(kind: string) {
    super(400, 'MANYPATH_RELAY_TUNNEL_KIND', `this relay has no tunnels of the kind "${kind}"`);
  }
}

export interface SessionFrontOptions {
  readonly limits: RelayLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The secret of a user; `undefined` when there is no such user. */
  readonly secretOf: (user: string) => string | undefined;
  /** Takes note of whether a client showed the secret; what it throws is no reason to stay. */
  readonly admit: (isRight: boolean, socket: TLSSocket) => Promise<void>;
  readonly dial: (target: Authority, context: DialContext) => Promise<Socket>;
  readonly traffic: Traffic;
}

/** The side of the relay that gateways speak to: sessions and their carriers (docs/SESSION.md). */
export class SessionFront {
  readonly #options: SessionFrontOptions;
  readonly #store: SessionStore;
  readonly #carriers = new Set<CarrierSocket>();
  readonly #stop = new AbortController();
  #isDraining = false;

  constructor(options: SessionFrontOptions) {
    this.#options = options;
    this.#store = new SessionStore(options.limits, options.clock, ({ tunnels, heldBytes, awayMs }) =>
      options.logger.info(
        { tunnels, heldBytes, awayMs },
        'a session whose gateway did not come back was ended',
      ),
    );
  }

  /** Sessions that are open, with those that wait for their gateways. */
  get sessions(): number {
    return this.#store.size;
  }

  get sessionsWaiting(): number {
    return this.#store.waiting;
  }

  /** Bytes that those hold. */
  get waitingBytes(): number {
    return this.#store.waitingBytes;
  }

  get carriers(): number {
    return this.#carriers.size;
  }

  /** Serves a connection on which `manypath/1` was negotiated. */
  serve(socket: TLSSocket): void {
    this.#greet(socket).catch(error => {
      this.#options.logger.debug({ code: errorCode(error), error: errorMessage(error) }, 'no carrier');
      socket.destroy();
    });
  }

  /** Tells all gateways to open no more tunnels here; those that are open go on. */
  drain(): void {
    this.#isDraining = true;
    for (const { session } of this.#store.all()) session.goAway();
  }

  /** Closes all connections, so that gateways make new ones: what they carry goes on over those. */
  sendAway(): void {
    for (const carrier of [...this.#carriers]) carrier.close();
  }

  /** Ends all sessions. */
  close(reason: Error): void {
    this.#stop.abort(reason);
    this.#store.close(reason);
  }

  async #greet(socket: TLSSocket): Promise<void> {
    const exporter = exporterOf(socket);
    const { clock, limits } = this.#options;
    // A second try, for who named a session that is gone.
    for (let tries = 0; tries < 2; tries++) {
      // Who has shown the secret is no stranger any more, whose time is watched elsewhere.
      const timer = clock.after(limits.authenticateMs, () => socket.destroy());
      const first = firstFrame(socket, this.#stop.signal).finally(() => timer.cancel());
      const { type, body, rest } = await first;
      if (type !== frameTypes.hello) throw new HelloError('it does not begin with HELLO');
      const hello = decodeHello(body);
      const secret = this.#options.secretOf(hello.user);
      // Compared in any case: how long it takes must not tell whether there is such a user.
      const isRight = provesSecret(hello, secret ?? '', exporter) && secret !== undefined;
      try {
        await this.#options.admit(isRight, socket);
      } catch (error) {
        refuse(socket, isRight ? refusals.busy : refusals.notPaired, errorMessage(error));
        socket.end();
        return;
      }
      if (secret === undefined || socket.destroyed) return;
      if (this.#isDraining && hello.session === undefined) {
        refuse(socket, refusals.closing, 'the relay is about to stop');
        socket.end();
        return;
      }
      const kept = this.#sessionFor(hello, exporter);
      if (kept === 'none') {
        refuse(socket, refusals.noSession, 'there is no such session any more');
      } else if (kept === 'full') {
        refuse(socket, refusals.busy, 'as many sessions are open as may be');
        socket.end();
        return;
      } else {
        this.#carry(kept, hello.carrier, { socket, rest, secret, exporter });
        return;
      }
    }
    socket.end();
  }

  #sessionFor(hello: ReceivedHello, exporter: Uint8Array): KeptSession | 'none' | 'full' {
    if (hello.session === undefined) {
      return this.#store.add(hello.user, forget => this.#newSession(forget)) ?? 'full';
    }
    const kept = this.#store.find(hello.session);
    const isTheirs =
      kept !== undefined && kept.user === hello.user && provesSession(hello, kept.known, exporter);
    return isTheirs ? kept : 'none';
  }

  #newSession(forget: () => void): Session {
    const { clock, limits } = this.#options;
    const carriers = this.#carriers;
    return new Session({
      end: 'relay',
      clock,
      defer: setImmediate,
      limits: {
        tunnels: limits.tunnelsPerSession,
        widestWindowBytes: limits.streamWindowBytes,
        unreadBytes: limits.sessionBacklogBytes,
        unacknowledgedBytes: limits.sessionUnacknowledgedBytes,
      },
      events: {
        onOpen: tunnel => void this.#open(tunnel),
        onLeft: carrier => (carrier.sink as CarrierSocket).close(),
        onOver: (_reason, left) => {
          forget();
          for (const { sink } of left) {
            carriers.delete(sink as CarrierSocket);
            (sink as CarrierSocket).end();
          }
        },
      },
    });
  }

  #carry(
    { known, session }: KeptSession,
    id: number,
    {
      socket,
      rest,
      secret,
      exporter,
    }: { socket: TLSSocket; rest: Uint8Array; secret: string; exporter: Uint8Array },
  ): void {
    const { clock, logger } = this.#options;
    const carrier = new CarrierSocket(socket);
    const { aloneSince } = session;
    const tunnels = session.tunnels.size;
    socket.write(
      encodeWelcome({ session: known, windowBytes: session.limits.windowBytes }, secret, exporter),
    );
    this.#carriers.add(carrier);
    try {
      carrier.carry(session, id, rest, cause => {
        this.#carriers.delete(carrier);
        if (cause instanceof SessionProtocolError)
          logger.debug({ code: cause.code, error: cause.message }, 'carrier closed');
        if (session.aloneSince !== undefined && !session.isOver && session.tunnels.size > 0) {
          const { heldBytes } = session;
          logger.debug({ tunnels: session.tunnels.size, heldBytes }, 'a session waits for its gateway');
        }
      });
      if (aloneSince !== undefined && tunnels > 0) {
        const awayMs = Math.round(clock.now() - aloneSince);
        logger.debug({ tunnels, awayMs }, 'a session goes on: its gateway is back');
      }
    } catch (error) {
      this.#carriers.delete(carrier);
      throw error;
    }
  }

  async #open(tunnel: Tunnel): Promise<void> {
    const { dial, traffic } = this.#options;
    const gone = new AbortController();
    const waiting = new WaitingUser(() => gone.abort());
    tunnel.user = waiting;
    try {
      if (tunnel.request.kind !== 'tcp') throw new TunnelKindError(tunnel.request.kind);
      const target = parseAuthority(tunnel.request.target);
      const { publicOnly } = tunnel.request;
      const socket = await dial(target, { signal: gone.signal, publicOnly });
      if (waiting.isGone) {
        socket.destroy();
        return;
      }
      tunnel.accept();
      const joint: TunnelJoint = new TunnelJoint(socket, tunnel, () => over());
      const over = traffic.addTunnel({
        get bytesFromClient() {
          return joint.bytesFromTunnel;
        },
        get bytesFromUpstream() {
          return joint.bytesFromSocket;
        },
        abort: reason => joint.abort({ code: resetCodes.closing, message: reason.message }),
      });
      tunnel.user = joint;
      waiting.handTo(joint);
      joint.start();
    } catch (error) {
      if (!waiting.isGone) tunnel.reset(resetFor(error));
    }
  }
}

function refuse(socket: TLSSocket, code: number, words: string): void {
  if (!socket.destroyed) socket.write(encodeRefused(code, words));
}

/** What a gateway is told of a target that was not dialled: the sentence, and the code in brackets. */
function resetFor(error: unknown): TunnelReset {
  const status = statusOf(error);
  const code = errorCode(error) ?? 'ERROR';
  const words = errorCode(error) === undefined ? 'The target could not be dialled.' : errorMessage(error);
  return { code: codeByStatus[status] ?? resetCodes.unreachable, message: `${words} [${code}]` };
}

const codeByStatus: Record<number, number> = {
  400: resetCodes.refused,
  403: resetCodes.refused,
  503: resetCodes.busy,
  504: resetCodes.timedOut,
};
