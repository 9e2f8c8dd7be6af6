import type { Tunnel, TunnelReset, TunnelUser } from '@manypath/session';

/** Stands in for the user of a tunnel who is not there yet, and hands over what came meanwhile. */
export class WaitingUser implements TunnelUser {
  readonly #onAccepted: () => void;
  readonly #onGone: (reset: TunnelReset) => void;
  readonly #came: Uint8Array[] = [];
  #isFinished = false;
  #reset: TunnelReset | undefined;

  /** @param onGone Told when the other end breaks the tunnel off meanwhile. */
  constructor(onGone: (reset: TunnelReset) => void, onAccepted: () => void = () => {}) {
    this.#onGone = onGone;
    this.#onAccepted = onAccepted;
  }

  /** Whether the other end has broken the tunnel off. */
  get isGone(): boolean {
    return this.#reset !== undefined;
  }

  onAccepted(): void {
    this.#onAccepted();
  }

  onData(bytes: Uint8Array): void {
    this.#came.push(Uint8Array.from(bytes));
  }

  onFinish(): void {
    this.#isFinished = true;
  }

  onReset(reset: TunnelReset): void {
    this.#reset = reset;
    this.#onGone(reset);
  }

  onDrain(): void {}

  /** Makes `user` the tunnel's, and tells it what came. */
  handTo(tunnel: Tunnel, user: TunnelUser): void {
    tunnel.user = user;
    for (const bytes of this.#came.splice(0)) user.onData(bytes);
    if (this.#reset !== undefined) user.onReset(this.#reset);
    else if (this.#isFinished) user.onFinish();
  }
}
