import { type Clock, ManypathError } from '@manypath/core';
import { type Carrier, Session, type Tunnel } from '@manypath/session';
import type { CarrierSocket, KnownSession, Welcome } from '@manypath/transport';

/** A session with the relay, as the gateway knows it. */
export interface OwnSession {
  readonly known: KnownSession;
  readonly session: Session;
  /** The number of the next carrier. */
  nextCarrier: number;
}

export interface GatewaySessionsOptions {
  readonly clock: Clock;
  /** Bytes that may come on a tunnel and not be taken, at most. */
  readonly widestWindowBytes: number;
  /** An answer to a ping came on a carrier. */
  readonly onPong: (carrier: Carrier) => void;
  /** The session that a carrier belongs to is over; its connection closes by itself. */
  readonly onOver: (carrier: Carrier) => void;
  /** The relay wants no more tunnels in a session. */
  readonly onGoAway: (session: Session) => void;
}

/** The sessions with one relay: the one that new carriers join, and those that the relay wants to end. */
export class GatewaySessions {
  readonly #options: GatewaySessionsOptions;
  readonly #all = new Set<OwnSession>();
  #current: OwnSession | undefined;

  constructor(options: GatewaySessionsOptions) {
    this.#options = options;
  }

  /** The one that goes on; `undefined` where a new one is to begin. */
  get current(): OwnSession | undefined {
    const own = this.#current;
    return own === undefined || own.session.isOver || own.session.isGoingAway ? undefined : own;
  }

  /** Tunnels of all of them. */
  get tunnels(): number {
    let tunnels = 0;
    for (const { session } of this.#all) tunnels += session.tunnels.size;
    return tunnels;
  }

  /** A new session has begun. */
  begin({ session: known, windowBytes }: Welcome): OwnSession {
    const session: Session = new Session({
      end: 'gateway',
      clock: this.#options.clock,
      defer: setImmediate,
      limits: { windowBytes, widestWindowBytes: this.#options.widestWindowBytes },
      events: {
        // Nothing is published by this gateway.
        onOpen: tunnel => refuse(tunnel),
        onLeft: carrier => (carrier.sink as CarrierSocket).close(),
        onPong: carrier => this.#options.onPong(carrier),
        onGoAway: () => this.#options.onGoAway(session),
        onOver: (_reason, carriers) => {
          this.#all.delete(own);
          for (const carrier of carriers) {
            (carrier.sink as CarrierSocket).end();
            this.#options.onOver(carrier);
          }
        },
      },
    });
    const own: OwnSession = { known, session, nextCarrier: 2 };
    this.#all.add(own);
    this.#current = own;
    return own;
  }

  /** The relay does not know a session any more: what it carried is over. */
  forget(own: OwnSession, reason: Error): void {
    own.session.close(reason);
  }

  close(reason: Error): void {
    for (const { session } of [...this.#all]) session.close(reason);
  }
}

/** The relay has forgotten the session: it was restarted, or nothing was heard of this gateway for too long. */
export class SessionForgottenError extends ManypathError {
  constructor() {
    super('MANYPATH_SESSION_FORGOTTEN', 'the relay does not know this session any more');
  }
}

function refuse(tunnel: Tunnel): void {
  tunnel.reset({ code: 4, message: 'nothing is published here' });
}
