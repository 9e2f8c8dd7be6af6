/**
 * Who waits for a turn, by the address they come from: addresses take turns, and of one address the one that came last is next.
 * So whoever brings many has no more of the turns than others, and whoever comes is served at once or not at all, rather than
 * late, when others come faster than they can be served.
 */
export class FairQueue<Member extends { readonly peer: string }> {
  readonly #byPeer = new Map<string, Set<Member>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(member: Member): void {
    const others = this.#byPeer.get(member.peer);
    if (others === undefined) this.#byPeer.set(member.peer, new Set([member]));
    else others.add(member);
    this.#size += 1;
  }

  remove(member: Member): void {
    const others = this.#byPeer.get(member.peer);
    if (others?.delete(member) !== true) return;
    this.#size -= 1;
    if (others.size === 0) this.#byPeer.delete(member.peer);
  }

  /** Takes out whose turn it is. */
  next(): Member | undefined {
    for (const [peer, members] of this.#byPeer) {
      let last: Member | undefined;
      for (const member of members) last = member;
      if (last === undefined) continue;
      this.remove(last);
      // The address goes to the end of the line.
      if (this.#byPeer.delete(peer)) this.#byPeer.set(peer, members);
      return last;
    }
    return undefined;
  }
}
