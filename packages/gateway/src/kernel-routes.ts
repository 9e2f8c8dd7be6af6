import { RouteSocket } from '@manypath/mptcp';
import type { AskRoute } from '@manypath/paths';
import type { RouteLookup } from './local-networks.ts';

/** Asks the kernel for routes, for all of a gateway who want to know. */
export class KernelRoutes {
  #socket = openRouteSocket();

  /** For dials over paths; `undefined` where the kernel cannot be asked. */
  get ask(): AskRoute | undefined {
    return this.#socket && ((address, question) => this.#socket?.routeTo(address, question));
  }

  /** For single questions, to which no answer is an answer, too. */
  readonly lookup: RouteLookup = address => {
    try {
      return this.#socket?.routeTo(address);
    } catch {
      return undefined;
    }
  };

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** @returns `undefined` where there is no such thing, or a sandbox forbids it */
function openRouteSocket(): RouteSocket | undefined {
  try {
    return RouteSocket.open();
  } catch {
    return undefined;
  }
}
