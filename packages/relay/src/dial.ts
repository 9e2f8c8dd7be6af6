import type { Socket } from 'node:net';
import { type Authority, errorCode, errorMessage } from '@manypath/core';
import { ProxyRefusal } from '@manypath/forward';
import { type ConnectOptions, connect, type Lookup } from '@manypath/mptcp';
import { checkPort, refuseInward, TargetRefusedError } from './target-guard.ts';

/** The target could not be reached from the relay. */
export class TargetUnreachableError extends ProxyRefusal {
  constructor(status: 502 | 504, cause: unknown) {
    super(
      status,
      'MANYPATH_RELAY_TARGET_UNREACHABLE',
      `the target cannot be reached: ${errorMessage(cause)}`,
      {
        cause,
      },
    );
  }
}

export interface TargetDialerOptions {
  allowPrivate: boolean;
  /** How long name lookup and dialling may take, in milliseconds. */
  timeoutMs: number;
  lookup: Lookup | undefined;
}

/** Opens connections to origins, with MPTCP where they speak it, and never inwards unless that is allowed. */
export class TargetDialer {
  readonly #options: TargetDialerOptions;

  constructor(options: TargetDialerOptions) {
    this.#options = options;
  }

  /**
   * @throws TargetRefusedError `MANYPATH_RELAY_TARGET_REFUSED` (403)
   * @throws TargetUnreachableError `MANYPATH_RELAY_TARGET_UNREACHABLE` (502, or 504 after a time-out)
   */
  async dial({ host, port }: Authority, { signal }: { signal: AbortSignal }): Promise<Socket> {
    checkPort({ host, port });
    const options: ConnectOptions = {
      host,
      port,
      signal,
      allowHalfOpen: true,
      timeout: this.#options.timeoutMs,
    };
    if (!this.#options.allowPrivate) options.filterAddress = refuseInward;
    if (this.#options.lookup !== undefined) options.lookup = this.#options.lookup;
    try {
      return await connect(options);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): unknown {
    const refused = findRefusal(error);
    if (refused !== undefined) return refused;
    return new TargetUnreachableError(errorCode(error) === 'MPTCP_CONNECT_TIMEOUT' ? 504 : 502, error);
  }
}

/** The guard's refusal, also when it is one of several causes why no address of a name could be dialled. */
function findRefusal(error: unknown): TargetRefusedError | undefined {
  if (error instanceof TargetRefusedError) return error;
  if (error instanceof AggregateError)
    return error.errors.map(findRefusal).find(found => found !== undefined);
  return error instanceof Error && error.cause !== undefined ? findRefusal(error.cause) : undefined;
}
