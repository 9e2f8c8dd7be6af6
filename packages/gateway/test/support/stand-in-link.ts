import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Authority } from '@manypath/core';
import { afterThisTest } from './scope.ts';

/** A link that can go silent: passes bytes between its port and another one, or keeps them to itself. */
export class StandInLink {
  port = 0;
  readonly #sockets = new Set<Socket>();
  #isBlocked = false;

  static async to(target: Authority): Promise<StandInLink> {
    const link = new StandInLink();
    const server = createServer({ allowHalfOpen: true }, near => {
      if (link.#isBlocked) {
        near.resetAndDestroy();
        return;
      }
      const far = connect({ ...target, allowHalfOpen: true, noDelay: true });
      near.setNoDelay(true);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        link.#sockets.add(from);
        from.on('error', () => {});
        from.on('data', bytes => to.write(bytes));
        from.once('end', () => to.end());
        from.once('close', () => {
          link.#sockets.delete(from);
          to.destroy();
        });
      }
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    link.port = (server.address() as AddressInfo).port;
    afterThisTest(() => {
      server.close();
      for (const socket of link.#sockets) socket.destroy();
    });
    return link;
  }

  /** Lets through only what is called for: each call waits for something from either side, and lets about 64 KB of it pass. */
  trickle(): () => Promise<void> {
    const slow = [...this.#sockets];
    let passed = () => {};
    for (const socket of slow) {
      socket.pause().on('data', () => {
        socket.pause();
        passed();
      });
    }
    return () =>
      new Promise(resolve => {
        passed = resolve;
        for (const socket of slow) socket.resume();
      });
  }

  /** Resets every connection there is; new ones are not affected. */
  cut(): void {
    for (const socket of [...this.#sockets]) socket.resetAndDestroy();
  }

  /** Turns new connections away from now on. @returns What ends that. */
  block(): () => void {
    this.#isBlocked = true;
    return () => {
      this.#isBlocked = false;
    };
  }

  /** Lets nothing through on the connections there are; new ones are not affected. */
  fallSilent(): () => void {
    const silent = [...this.#sockets];
    for (const socket of silent) socket.pause();
    return () => {
      for (const socket of silent) socket.resume();
    };
  }
}
