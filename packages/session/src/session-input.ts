import type { Carrier } from './carrier.ts';
import type { CarrierSet } from './carrier-set.ts';
import { SessionProtocolError } from './errors.ts';
import type { FrameSink } from './frame-reader.ts';
import {
  decodeLeft,
  decodeNumber,
  decodeOpen,
  decodeReset,
  firstOptionalType,
  frameTypes,
  type OpenRequest,
  type TunnelReset,
} from './frames.ts';
import type { SessionLimits } from './limits.ts';
import type { SessionOutput } from './session-output.ts';
import type { Tunnel } from './tunnel.ts';
import type { TunnelTable } from './tunnel-table.ts';

export interface SessionInputOptions {
  readonly limits: SessionLimits;
  readonly carriers: CarrierSet;
  readonly tunnels: TunnelTable;
  readonly output: SessionOutput;
  /** Whether tunnels ride on the carrier on which the other end last spoke of them: the gateway chooses, the relay follows. */
  readonly follows: boolean;
  readonly onOpen: (id: number, request: OpenRequest, carrier: Carrier) => void;
  readonly onPong: (carrier: Carrier, nonce: number) => void;
  readonly onDatagram: (flow: number, bytes: Uint8Array) => void;
  readonly onGoAway: () => void;
  readonly onGoodbye: (reason: TunnelReset) => void;
}

/** What comes on the carriers, frame by frame. */
export class SessionInput {
  readonly #options: SessionInputOptions;

  constructor(options: SessionInputOptions) {
    this.#options = options;
  }

  /** Takes the frames of one carrier. They throw a SessionProtocolError when they are not as docs/SESSION.md says. */
  of(carrier: () => Carrier): FrameSink {
    return {
      onFrame: (type, tunnel, body) => {
        if (tunnel === 0) this.#takeFrame(carrier(), type, body);
        else if (type === frameTypes.open) this.#takeOpen(carrier(), tunnel, body);
        else if (type === frameTypes.datagram) this.#options.onDatagram(tunnel, new Uint8Array(body));
        else if (type < firstOptionalType) this.#takeTunnelFrame(carrier(), type, tunnel, body);
      },
      onData: (tunnel, offset, bytes) => this.#find(tunnel, carrier())?.takeData(offset, bytes),
    };
  }

  /** Of the carrier, or of the session as a whole. */
  #takeFrame(carrier: Carrier, type: number, body: Uint8Array): void {
    const { carriers, limits } = this.#options;
    switch (type) {
      case frameTypes.acknowledge:
        carriers.acknowledged(carrier, decodeNumber(body));
        return;
      case frameTypes.ping:
        carrier.pong(decodeNumber(body));
        this.#options.output.flushLater();
        return;
      case frameTypes.pong:
        this.#options.onPong(carrier, decodeNumber(body));
        return;
      case frameTypes.left:
        carriers.takeLeft(carrier, decodeLeft(body));
        return;
      case frameTypes.settled:
        carriers.takeSettled(carrier, decodeLeft(body));
        return;
      case frameTypes.goAway:
        this.#options.onGoAway();
        return;
      case frameTypes.goodbye:
        this.#options.onGoodbye(decodeReset(body, limits));
        return;
      default:
        if (type < firstOptionalType)
          throw new SessionProtocolError(`a frame of type ${type} is out of place`);
    }
  }

  #takeTunnelFrame(carrier: Carrier, type: number, number: number, body: Uint8Array): void {
    const tunnel = this.#find(number, carrier);
    switch (type) {
      case frameTypes.accept:
        tunnel?.takeAccept();
        return;
      case frameTypes.credit:
        tunnel?.takeCredit(decodeNumber(body));
        return;
      case frameTypes.blocked:
        tunnel?.takeBlocked(decodeNumber(body));
        return;
      case frameTypes.finish:
        tunnel?.takeFinish(decodeNumber(body));
        return;
      case frameTypes.reset:
        tunnel?.takeReset(decodeReset(body, this.#options.limits));
        return;
      default:
        throw new SessionProtocolError(`a frame of type ${type} is out of place`);
    }
  }

  #takeOpen(carrier: Carrier, number: number, body: Uint8Array): void {
    const { tunnels, limits, onOpen } = this.#options;
    if (!tunnels.isTheirs(number))
      throw new SessionProtocolError('it opens a tunnel with a number of this end');
    if (tunnels.wasOpened(number)) return;
    if (tunnels.ahead >= limits.tunnelsAhead) throw new SessionProtocolError('it leaves numbers out');
    onOpen(number, decodeOpen(body, limits), carrier);
  }

  #find(number: number, carrier: Carrier): Tunnel | undefined {
    const { tunnels, output, follows } = this.#options;
    const tunnel = tunnels.find(number);
    if (follows && tunnel?.carrier !== undefined && tunnel.carrier !== carrier && carrier.state === 'open') {
      output.ride(tunnel, carrier);
      tunnel.pump();
    }
    return tunnel;
  }
}
