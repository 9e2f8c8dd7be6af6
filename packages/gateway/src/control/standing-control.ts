import {
  type Clock,
  Condition,
  errorCode,
  errorMessage,
  type Logger,
  SerialQueue,
  type Timer,
} from '@manypath/core';
import type { GatewayLimits } from '../limits.ts';
import { type ControlMethods, ControlServer } from './control-server.ts';

/** What {@link StandingControl} works with. */
export interface StandingControlOptions {
  readonly stateDir: string;
  readonly methods: ControlMethods;
  readonly limits: GatewayLimits;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What a folder answers that cannot be written just now. */
const unwritable = new Set(['EROFS', 'EACCES', 'EPERM', 'ENOSPC', 'EDQUOT', 'EIO', 'ENOENT']);

/**
 * The control socket of a gateway, for as long as that runs: where the state folder cannot be written it is made as soon as it
 * can, and again when it was removed. The gateway serves its proxy port meanwhile.
 */
export class StandingControl {
  readonly #options: StandingControlOptions;
  readonly #missing: Condition;
  readonly #checks: SerialQueue;
  #server: ControlServer | undefined;
  #timer: Timer | undefined;
  #closed = false;

  /**
   * Opens the socket, if that is possible now.
   *
   * @throws GatewayRunningError `MANYPATH_GATEWAY_RUNNING`
   * @throws ControlSocketError `MANYPATH_CONTROL_SOCKET` for a folder that will never do
   */
  static async open(options: StandingControlOptions): Promise<StandingControl> {
    const control = new StandingControl(options);
    try {
      await control.#open();
    } catch (error) {
      const cause = error instanceof Error ? error.cause : undefined;
      if (!unwritable.has(errorCode(cause) ?? '')) throw error;
      control.#complain(error);
    }
    control.#checkLater();
    return control;
  }

  private constructor(options: StandingControlOptions) {
    this.#options = options;
    this.#missing = new Condition(options.logger, 'the control socket is there again');
    this.#checks = new SerialQueue(error => this.#complain(error));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#checks.idle;
    await this.#server?.close();
  }

  #complain(error: unknown): void {
    const fields = { code: errorCode(error), error: errorMessage(error) };
    const message = 'no control socket: `manypath status` and the extension find nothing until there is one';
    this.#missing.begins(this, fields, message);
  }

  #checkLater(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(this.#options.limits.controlCheckMs, () => {
      this.#checks.post(() => this.#check().finally(() => this.#checkLater()));
    });
  }

  async #check(): Promise<void> {
    if (this.#closed || this.#server?.isReachable()) return;
    const before = this.#server;
    this.#server = undefined;
    await before?.close();
    await this.#open();
  }

  async #open(): Promise<void> {
    const { stateDir, methods, limits } = this.#options;
    this.#server = await ControlServer.open(stateDir, methods, limits);
    this.#missing.ends(this);
  }
}
