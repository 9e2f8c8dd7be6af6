import type { TunnelReset, TunnelUser } from '@manypath/session';

/** Stands in for the user of a tunnel who is not there yet, and hands over what came meanwhile. */
export class WaitingUser implements TunnelUser {
  readonly #onGone: (() => void) | undefined;
  #came: Uint8Array[] | undefined;
  #isFinished = false;
  #reset: TunnelReset | undefined;

  /** @param onGone Told when the tunnel is broken off meanwhile. */
  constructor(onGone?: () => void) {
    this.#onGone = onGone;
  }

  /** Whether the tunnel was broken off. */
  get isGone(): boolean {
    return this.#reset !== undefined;
  }

  onData(bytes: Uint8Array): void {
    this.#came ??= [];
    this.#came.push(Uint8Array.from(bytes));
  }

  onFinish(): void {
    this.#isFinished = true;
  }

  onReset(reset: TunnelReset): void {
    this.#reset = reset;
    this.#onGone?.();
  }

  onDrain(): void {}

  /** Tells the tunnel's user from now on what came. */
  handTo(user: TunnelUser): void {
    const came = this.#came;
    this.#came = undefined;
    if (came !== undefined) for (const bytes of came) user.onData(bytes);
    if (this.#reset !== undefined) user.onReset(this.#reset);
    else if (this.#isFinished) user.onFinish();
  }
}
