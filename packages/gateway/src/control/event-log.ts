import type { LogEntry, PathStatus, RelayStatus } from '@manypath/core';

type Known = Pick<PathStatus, 'health' | 'tier'>;

/**
 * What happened to paths, connections and the relay, newest last: what people want to know afterwards. It holds no host
 * that was visited.
 */
export class EventLog {
  readonly #entries: LogEntry[] = [];
  readonly #most: number;
  readonly #now: () => number;
  readonly #paths = new Map<string, Known>();
  #relay: RelayStatus['state'] | undefined;

  /** @param most Entries that are kept. @param now The time of day, in milliseconds since 1970. */
  constructor(most: number, now: () => number = Date.now) {
    this.#most = most;
    this.#now = now;
  }

  entries(): readonly LogEntry[] {
    return [...this.#entries];
  }

  /** Takes in how the paths are; what is other than last time is an entry. */
  notePaths(paths: readonly PathStatus[]): void {
    const seen = new Set<string>();
    for (const { name, health, healthReason, tier } of paths) {
      seen.add(name);
      const before = this.#paths.get(name);
      this.#paths.set(name, { health, tier });
      const works = isWorking(health);
      if (before === undefined) this.#add('path', name, works ? 'there, and in use' : `there, and ${health}`);
      else if (isWorking(before.health) !== works || (!works && before.health !== health)) {
        this.#add('path', name, works ? 'works again' : `${health}${reason(healthReason)}`);
      }
      if (before !== undefined && before.tier !== tier) this.#add('path', name, `now ${tier}`);
    }
    for (const name of this.#paths.keys()) {
      if (seen.has(name)) continue;
      this.#paths.delete(name);
      this.#add('path', name, 'gone');
    }
  }

  noteRelay(state: RelayStatus['state'], why: string | null): void {
    if (state === this.#relay) return;
    this.#relay = state;
    const text = state === 'connecting' ? 'connecting to the relay' : `the relay is ${state}${reason(why)}`;
    this.#add('relay', null, text);
  }

  noteFailover(path: string, stallMs: number): void {
    this.#add('failover', path, 'a transfer went on without this path', stallMs);
  }

  noteResumed(connections: number, stallMs: number): void {
    const who = connections === 1 ? 'a connection' : `${connections} connections`;
    this.#add('resumed', null, `${who} went on over a new connection to the relay`, stallMs);
  }

  #add(kind: LogEntry['kind'], path: string | null, text: string, stallMs: number | null = null): void {
    this.#entries.push({ at: this.#now(), kind, path, text, stallMs });
    if (this.#entries.length > this.#most) this.#entries.splice(0, this.#entries.length - this.#most);
  }
}

function isWorking(health: PathStatus['health']): boolean {
  return health !== 'dead' && health !== 'captive';
}

function reason(why: string | null): string {
  return why === null ? '' : `: ${why}`;
}
