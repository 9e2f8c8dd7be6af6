import {
  type Clock,
  Condition,
  errorCode,
  errorMessage,
  type Logger,
  silentLogger,
  systemClock,
  type Timer,
} from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import { HelperGoneError } from './errors.ts';
import { HelperConversation } from './helper-conversation.ts';
import type { WantedPath } from './verbs.ts';

/** Options of {@link HelperClient.connect}. */
export interface HelperClientOptions {
  readonly logger?: Pick<Logger, 'info' | 'warn'>;
  readonly clock?: Clock;
}

/**
 * The privileged helper, as one process uses it. When the helper goes, it is looked for until it is back, and told again which
 * paths to keep; what is asked meanwhile is rejected. Who opened it closes it, and nobody else.
 */
export class HelperClient {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: NonNullable<HelperClientOptions['logger']>;
  readonly #gone: Condition;
  #conversation: HelperConversation | undefined;
  #kept: readonly WantedPath[] | undefined;
  #timer: Timer | undefined;
  #retryMs: number = pathsLimits.helperRetryMs;
  #closed = false;

  /**
   * Reaches a helper that has to be there.
   *
   * @throws HelperGoneError `MANYPATH_HELPER_GONE`
   * @throws HelperRefusedError `MANYPATH_HELPER_REFUSED`, this user is not served, or it is another version
   */
  static async connect(path: string, options: HelperClientOptions = {}): Promise<HelperClient> {
    const client = new HelperClient(path, options);
    client.#use(await HelperConversation.open(path, client.#clock));
    return client;
  }

  /** Reaches the helper, or looks for it from now on. */
  static async open(path: string, options: HelperClientOptions = {}): Promise<HelperClient> {
    const client = new HelperClient(path, options);
    try {
      client.#use(await HelperConversation.open(path, client.#clock));
    } catch (error) {
      if (errorCode(error) === 'MANYPATH_HELPER_REFUSED') {
        const reason = errorMessage(error);
        client.#logger.warn({ reason }, 'the privileged helper does not serve this user');
      }
      client.#retry();
    }
    return client;
  }

  private constructor(path: string, { logger = silentLogger, clock = systemClock }: HelperClientOptions) {
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
    this.#gone = new Condition(logger, 'the helper is back');
  }

  /** Whether the helper is there now. */
  get isThere(): boolean {
    return this.#conversation !== undefined;
  }

  /** Has the helper do something. Rejects with what it says, and with `MANYPATH_HELPER_GONE` while it is away. */
  ask(request: object): Promise<void> {
    return this.#conversation?.ask(request) ?? Promise.reject(new HelperGoneError(this.#path));
  }

  /**
   * Has the helper keep these paths set up, and no others, until {@link close}. While it is away that is remembered, and done
   * when it is back.
   *
   * @throws HelperRefusedError `MANYPATH_HELPER_REFUSED`
   */
  async keep(paths: readonly WantedPath[]): Promise<void> {
    this.#kept = paths;
    try {
      await this.#conversation?.ask({ verb: 'keep', paths });
    } catch (error) {
      if (errorCode(error) !== 'MANYPATH_HELPER_GONE') throw error;
    }
  }

  /** Lets go of the helper, once it has taken out what it set up. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    if (this.#kept !== undefined) await this.ask({ verb: 'keep', paths: [] }).catch(() => {});
    this.#conversation?.close();
    this.#conversation = undefined;
  }

  #use(conversation: HelperConversation): void {
    this.#conversation = conversation;
    conversation.onEnd(() => {
      this.#conversation = undefined;
      if (this.#closed) return;
      const message = 'the helper has gone: paths stay as they are set up until it is back';
      this.#gone.begins(this, { socket: this.#path }, message);
      this.#retry();
    });
  }

  #retry(): void {
    this.#timer = this.#clock.after(this.#retryMs, () => void this.#reconnect());
    this.#retryMs = Math.min(2 * this.#retryMs, pathsLimits.helperRetryMostMs);
  }

  async #reconnect(): Promise<void> {
    let conversation: HelperConversation | undefined;
    try {
      conversation = await HelperConversation.open(this.#path, this.#clock);
      await this.#remind(conversation);
    } catch {
      // Gone still, or not ready yet: that was said when it began.
      conversation?.close();
      if (!this.#closed) this.#retry();
      return;
    }
    if (this.#closed) return conversation.close();
    this.#retryMs = pathsLimits.helperRetryMs;
    this.#use(conversation);
    if (this.#gone.isThere) this.#gone.ends(this);
    else this.#logger.info({ socket: this.#path }, 'the helper has come: it sets up the paths');
  }

  /** Tells the helper which paths to keep, also if that changes meanwhile. What it refuses now, who wants it asks for again. */
  async #remind(conversation: HelperConversation): Promise<void> {
    let told: readonly WantedPath[] | undefined;
    while (told !== this.#kept && !this.#closed) {
      told = this.#kept;
      try {
        await conversation.ask({ verb: 'keep', paths: told });
      } catch (error) {
        if (errorCode(error) !== 'MANYPATH_HELPER_REFUSED') throw error;
      }
    }
  }
}
