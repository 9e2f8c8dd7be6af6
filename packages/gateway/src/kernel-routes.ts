import { errorMessage, type Logger, silentLogger } from '@manypath/core';
import { type RouteAnswer, type RouteQuestion, RouteSocket } from '@manypath/mptcp';
import type { AskRoute } from '@manypath/paths';
import { gatewayLimits } from './limits.ts';
import type { RouteLookup } from './local-networks.ts';

/** What {@link KernelRoutes} asks; `RouteSocket` of @manypath/mptcp does. */
export type RouteSource = Pick<RouteSocket, 'routeTo' | 'events' | 'close'>;

export interface KernelRoutesOptions {
  readonly logger?: Logger;
  /** Answers that are kept at most. */
  readonly most?: number;
  /** Opens what is asked. Default: the kernel. */
  readonly open?: () => RouteSource;
}

/**
 * Asks the kernel for routes, for all of a gateway who want to know. An answer is kept until the kernel tells of a change of links,
 * addresses, routes or rules: a question costs as much as everything else of a connection together.
 */
export class KernelRoutes {
  readonly #source: RouteSource | undefined;
  readonly #logger: Logger;
  readonly #most: number;
  readonly #stop = new AbortController();
  readonly #answers = new Map<string, RouteAnswer | undefined>();
  /** Whether changes are heard of, so that answers may be kept. */
  #hears = false;

  constructor({
    logger = silentLogger,
    most = gatewayLimits.routesKept,
    open = () => RouteSocket.open(),
  }: KernelRoutesOptions = {}) {
    this.#logger = logger;
    this.#most = most;
    this.#source = unlessForbidden(open);
    if (this.#source !== undefined) void this.#follow(this.#source);
  }

  /** For dials over paths; `undefined` where the kernel cannot be asked. */
  get ask(): AskRoute | undefined {
    return this.#source === undefined || this.#stop.signal.aborted ? undefined : this.#ask;
  }

  /** For single questions, to which no answer is an answer, too. */
  readonly lookup: RouteLookup = address => {
    try {
      return this.ask?.(address);
    } catch {
      return undefined;
    }
  };

  close(): void {
    this.#stop.abort();
    this.#answers.clear();
    this.#source?.close();
  }

  readonly #ask = (address: string, question: RouteQuestion = {}): RouteAnswer | undefined => {
    const { oif, ...others } = question;
    const isUsual = Object.keys(others).length === 0;
    if (!this.#hears || !isUsual) return this.#source?.routeTo(address, question);
    const key = oif === undefined ? address : `${address} ${oif}`;
    const known = this.#answers.get(key);
    if (known !== undefined || this.#answers.has(key)) return known;
    const answer = this.#source?.routeTo(address, question);
    if (this.#answers.size >= this.#most) this.#answers.clear();
    this.#answers.set(key, answer);
    return answer;
  };

  /** Forgets all answers whenever something changes, as long as the kernel tells; then everything is asked afresh. */
  async #follow(source: RouteSource): Promise<void> {
    try {
      const changes = source.events(this.#stop.signal);
      this.#hears = true;
      for await (const _ of changes) this.#answers.clear();
    } catch (error) {
      this.#logger.warn(
        { reason: errorMessage(error) },
        'changes of routes are not heard of: each is asked for',
      );
    } finally {
      this.#hears = false;
      this.#answers.clear();
    }
  }
}

/** @returns `undefined` where there is no such thing, or a sandbox forbids it */
function unlessForbidden(open: () => RouteSource): RouteSource | undefined {
  try {
    return open();
  } catch {
    return undefined;
  }
}
