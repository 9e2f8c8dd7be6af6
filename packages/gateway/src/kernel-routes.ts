import { RouteSocket } from '@manypath/mptcp';
import type { RouteLookup } from './local-networks.ts';

/** Asks the kernel for routes; knows none where it cannot be asked. */
export class KernelRoutes {
  readonly #socket = openRouteSocket();

  readonly lookup: RouteLookup = address => {
    try {
      return this.#socket?.routeTo(address);
    } catch {
      return undefined;
    }
  };

  close(): void {
    this.#socket?.close();
  }
}

function openRouteSocket(): RouteSocket | undefined {
  try {
    return RouteSocket.open();
  } catch {
    return undefined;
  }
}
