import type { Socket } from 'node:net';
import { errorMessage } from '@manypath/core';
import { DiagReader } from '@manypath/mptcp';
import type { GatewayLogger } from './logger.ts';

/** `same-user`: connections are checked; `unavailable`: they should be and cannot; `none`: they need not be. */
export type GuardMode = 'same-user' | 'unavailable' | 'none';

/**
 * Lets only the user who started the gateway, and root, use its proxy port: a port on loopback is open to everybody on
 * the machine, and whoever used it would act in the user's name. The kernel tells whose the other end of a
 * connection is (sock_diag(7)), which needs no privilege and takes some microseconds.
 */
export class OwnerGuard {
  readonly #logger: GatewayLogger;
  readonly #uid: number | undefined;
  #reader: DiagReader | undefined;
  #mode: GuardMode;

  constructor(
    wanted: 'same-user' | 'none',
    logger: GatewayLogger,
    uid: number | undefined = process.getuid?.(),
  ) {
    this.#logger = logger;
    this.#uid = uid;
    this.#mode = wanted;
    if (wanted === 'none') return;
    try {
      this.#reader = DiagReader.open();
    } catch (error) {
      this.#giveUp(error);
    }
  }

  get mode(): GuardMode {
    return this.#mode;
  }

  /** Whether this accepted connection may use the proxy. */
  admits(accepted: Socket): boolean {
    if (this.#reader === undefined) return true;
    const { localAddress, localPort, remoteAddress, remotePort } = accepted;
    if (localAddress === undefined || remoteAddress === undefined) return false;
    try {
      const owner = this.#reader.ownerUid(
        { address: withoutMapping(remoteAddress), port: remotePort ?? 0 },
        { address: withoutMapping(localAddress), port: localPort ?? 0 },
      );
      return owner === 0 || (owner !== undefined && owner === this.#uid);
    } catch (error) {
      this.#giveUp(error);
      return true;
    }
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  #giveUp(error: unknown): void {
    this.close();
    this.#mode = 'unavailable';
    this.#logger.warn(
      { reason: errorMessage(error) },
      'cannot tell whose connections are: every user of this machine can use the proxy port',
    );
  }
}

/** An IPv4 client of an IPv6 listener is an IPv4 socket itself. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '');
}
