import type { Socket } from 'node:net';
import type { RelayHandle } from '@manypath/forward';

/** A tunnel of a session. */
export interface CarriedTunnel {
  readonly bytesFromClient: number;
  readonly bytesFromUpstream: number;
  abort(reason: Error): void;
}

/** What goes through the relay: open tunnels and forwarded requests' connections, and sums of what they carried. */
export class Traffic {
  readonly #tunnels = new Set<RelayHandle>();
  readonly #carried = new Set<CarriedTunnel>();
  readonly #emptied = new Set<() => void>();
  readonly #forwarding = new Set<Socket>();
  #dialling = 0;
  #opened = 0;
  #bytesFromClients = 0;
  #bytesFromTargets = 0;

  get tunnels(): number {
    return this.#tunnels.size + this.#carried.size;
  }

  /** Connections to targets, open or being made. */
  get targets(): number {
    return this.tunnels + this.#forwarding.size + this.#dialling;
  }

  /** Tunnels opened so far. */
  get opened(): number {
    return this.#opened;
  }

  get bytesFromClients(): number {
    let sum = this.#bytesFromClients;
    for (const tunnel of this.#all()) sum += tunnel.bytesFromClient;
    for (const socket of this.#forwarding) sum += socket.bytesWritten;
    return sum;
  }

  get bytesFromTargets(): number {
    let sum = this.#bytesFromTargets;
    for (const tunnel of this.#all()) sum += tunnel.bytesFromUpstream;
    for (const socket of this.#forwarding) sum += socket.bytesRead;
    return sum;
  }

  /** Counts a connection that is being made. */
  async dialling<T>(dial: () => Promise<T>): Promise<T> {
    this.#dialling += 1;
    try {
      return await dial();
    } finally {
      this.#dialling -= 1;
    }
  }

  /** Counts a tunnel until it is closed. */
  addTunnel(tunnel: RelayHandle): void {
    this.#opened += 1;
    this.#tunnels.add(tunnel);
    void tunnel.done.then(({ bytesFromClient, bytesFromUpstream }) => {
      this.#tunnels.delete(tunnel);
      this.#bytesFromClients += bytesFromClient;
      this.#bytesFromTargets += bytesFromUpstream;
    });
  }

  /** Counts a tunnel of a session. @returns What is to be called when it is over. */
  addCarried(tunnel: CarriedTunnel): () => void {
    this.#opened += 1;
    this.#carried.add(tunnel);
    return () => {
      this.#carried.delete(tunnel);
      this.#bytesFromClients += tunnel.bytesFromClient;
      this.#bytesFromTargets += tunnel.bytesFromUpstream;
      if (this.#carried.size > 0) return;
      for (const resolve of this.#emptied) resolve();
      this.#emptied.clear();
    };
  }

  /** Counts a connection that carries forwarded requests until it is closed. */
  addForwarding(socket: Socket): void {
    this.#forwarding.add(socket);
    socket.once('close', () => {
      this.#forwarding.delete(socket);
      this.#bytesFromClients += socket.bytesWritten;
      this.#bytesFromTargets += socket.bytesRead;
    });
  }

  /** Breaks every tunnel off, so that both ends see it. */
  abort(reason: Error): void {
    for (const tunnel of [...this.#all()]) tunnel.abort(reason);
  }

  /** Settles when every tunnel that is open now has ended. */
  async ended(): Promise<void> {
    const carried =
      this.#carried.size === 0
        ? undefined
        : new Promise<void>(resolve => {
            this.#emptied.add(resolve);
          });
    await Promise.all([...[...this.#tunnels].map(({ done }) => done), carried]);
  }

  *#all(): Iterable<CarriedTunnel> {
    yield* this.#tunnels;
    yield* this.#carried;
  }
}
