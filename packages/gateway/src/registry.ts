import {
  type Authority,
  type Clock,
  type ConnectionStatus,
  errorCode,
  errorMessage,
  type FailureEntry,
  type Totals,
} from '@manypath/core';
import { Connection } from './connection.ts';
import type { Dialect } from './dial-request.ts';
import { gatewayLimits } from './limits.ts';

/** What happens to connections, for those who watch. */
export type ConnectionEvent =
  | { readonly event: 'opened'; readonly connection: ConnectionStatus }
  | { readonly event: 'closed'; readonly connection: ConnectionStatus; readonly error: string | null };

/** All connections that are open, and the sums of those that were. */
export class Registry {
  readonly #clock: Clock;
  readonly #mostFailures: number;
  readonly #failures: FailureEntry[] = [];
  readonly #open = new Map<number, Connection>();
  readonly #listeners = new Set<(event: ConnectionEvent) => void>();
  readonly #emptied = new Set<() => void>();
  #nextId = 1;
  #failed = 0;
  #bytesIn = 0;
  #bytesOut = 0;

  /** @param mostFailures Failed connections that are remembered. */
  constructor(clock: Clock, mostFailures: number = gatewayLimits.failuresKept) {
    this.#clock = clock;
    this.#mostFailures = mostFailures;
  }

  /** Notes a connection that a client asks for. */
  add(target: Authority, dialect: Dialect): Connection {
    const about = { id: this.#nextId++, target, dialect };
    const connection = new Connection(about, this.#clock, this.#onEnd);
    this.#open.set(connection.id, connection);
    if (this.#listeners.size > 0) this.#tell({ event: 'opened', connection: connection.status() });
    return connection;
  }

  get size(): number {
    return this.#open.size;
  }

  /** In the order they were opened. */
  status(): ConnectionStatus[] {
    return [...this.#open.values()].map(connection => connection.status());
  }

  totals(): Totals {
    let bytesIn = this.#bytesIn;
    let bytesOut = this.#bytesOut;
    for (const connection of this.#open.values()) {
      bytesIn += connection.bytesIn;
      bytesOut += connection.bytesOut;
    }
    return {
      connections: this.#open.size,
      opened: this.#nextId - 1,
      failed: this.#failed,
      bytesIn,
      bytesOut,
    };
  }

  /** Connections that failed last, oldest first. */
  failures(): readonly FailureEntry[] {
    return [...this.#failures];
  }

  /** Calls `listener` for everything that happens. @returns What ends that. */
  subscribe(listener: (event: ConnectionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Breaks off everything that is open. */
  abortAll(reason: Error): void {
    for (const connection of [...this.#open.values()]) connection.abort(reason);
  }

  /** Fulfilled when nothing is open any more. */
  emptied(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise(resolve => this.#emptied.add(resolve));
  }

  readonly #onEnd = (connection: Connection): void => this.#remove(connection);

  #remove(connection: Connection): void {
    this.#open.delete(connection.id);
    if (connection.failed) this.#noteFailure(connection);
    this.#bytesIn += connection.bytesIn;
    this.#bytesOut += connection.bytesOut;
    if (this.#listeners.size > 0) {
      const error = connection.failed ? (errorCode(connection.failure) ?? 'ERROR') : null;
      this.#tell({ event: 'closed', connection: connection.status(), error });
    }
    if (this.#open.size > 0) return;
    for (const resolve of this.#emptied) resolve();
    this.#emptied.clear();
  }

  #noteFailure(connection: Connection): void {
    this.#failed += 1;
    const { failure } = connection;
    this.#failures.push({
      at: Date.now(),
      target: connection.status().target,
      code: errorCode(failure) ?? 'ERROR',
      reason: errorMessage(failure),
    });
    if (this.#failures.length > this.#mostFailures) this.#failures.shift();
  }

  #tell(event: ConnectionEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
