import type { Socket } from 'node:net';

/** A tunnel that is open, of whichever kind. */
export interface OpenTunnel {
  readonly bytesFromClient: number;
  readonly bytesFromUpstream: number;
  abort(reason: Error): void;
}

/** What goes through the relay: open tunnels and forwarded requests' connections, and sums of what they carried. */
export class Traffic {
  readonly #tunnels = new Set<OpenTunnel>();
  readonly #emptied = new Set<() => void>();
  readonly #forwarding = new Set<Socket>();
  #dialling = 0;
  #opened = 0;
  #bytesFromClients = 0;
  #bytesFromTargets = 0;

  get tunnels(): number {
    return this.#tunnels.size;
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
    for (const tunnel of this.#tunnels) sum += tunnel.bytesFromClient;
    for (const socket of this.#forwarding) sum += socket.bytesWritten;
    return sum;
  }

  get bytesFromTargets(): number {
    let sum = this.#bytesFromTargets;
    for (const tunnel of this.#tunnels) sum += tunnel.bytesFromUpstream;
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

  /** Counts a tunnel. @returns What is to be called when it is over. */
  addTunnel(tunnel: OpenTunnel): () => void {
    this.#opened += 1;
    this.#tunnels.add(tunnel);
    return () => {
      this.#tunnels.delete(tunnel);
      this.#bytesFromClients += tunnel.bytesFromClient;
      this.#bytesFromTargets += tunnel.bytesFromUpstream;
      if (this.#tunnels.size > 0) return;
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
    for (const tunnel of [...this.#tunnels]) tunnel.abort(reason);
  }

  /** Settles when no tunnel is open. */
  ended(): Promise<void> {
    if (this.#tunnels.size === 0) return Promise.resolve();
    return new Promise(resolve => this.#emptied.add(resolve));
  }
}
