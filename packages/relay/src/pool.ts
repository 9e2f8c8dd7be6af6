/** Connections that are counted by the address they come from. */
export class Pool<Member extends { readonly peer: string }> {
  readonly #byPeer = new Map<string, Set<Member>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get peers(): Iterable<string> {
    return this.#byPeer.keys();
  }

  of(peer: string): ReadonlySet<Member> {
    return this.#byPeer.get(peer) ?? new Set();
  }

  /** The connections of the address that has most; of those alike, the one that came first. */
  largest(): ReadonlySet<Member> {
    let largest: ReadonlySet<Member> = new Set();
    for (const connections of this.#byPeer.values()) {
      if (connections.size > largest.size) largest = connections;
    }
    return largest;
  }

  add(connection: Member): void {
    const others = this.#byPeer.get(connection.peer);
    if (others === undefined) this.#byPeer.set(connection.peer, new Set([connection]));
    else others.add(connection);
    this.#size += 1;
  }

  remove(connection: Member): void {
    const others = this.#byPeer.get(connection.peer);
    if (others?.delete(connection) !== true) return;
    this.#size -= 1;
    if (others.size === 0) this.#byPeer.delete(connection.peer);
  }
}
