import { randomBytes } from 'node:crypto';
import type { Clock, Timer } from '@manypath/core';
import type { Session } from '@manypath/session';
import { type KnownSession, sessionIdBytes, sessionKeyBytes } from '@manypath/transport';
import type { RelayLimits } from './limits.ts';

/** A session of a user. */
export interface KeptSession {
  readonly known: KnownSession;
  readonly user: string;
  readonly session: Session;
}

/** A session that was ended because nobody came back for it. */
export interface ForgottenSession {
  readonly tunnels: number;
  readonly heldBytes: number;
  /** How long it had no carrier, in milliseconds. */
  readonly awayMs: number;
}

/** What ends a session that nobody came back for. */
export class SessionForgottenError extends Error {}

/**
 * The sessions of this relay, by their ids. One without a carrier waits for its gateway, for its time, and as long as it and the
 * others that wait do not hold too much.
 */
export class SessionStore {
  readonly #limits: Pick<RelayLimits, 'sessions' | 'sessionAwayMs' | 'sessionAwayBytes' | 'sessionCheckMs'>;
  readonly #clock: Clock;
  readonly #onForgotten: (forgotten: ForgottenSession) => void;
  readonly #sessions = new Map<string, KeptSession>();
  #check: Timer | undefined;

  constructor(
    limits: Pick<RelayLimits, 'sessions' | 'sessionAwayMs' | 'sessionAwayBytes' | 'sessionCheckMs'>,
    clock: Clock,
    onForgotten: (forgotten: ForgottenSession) => void = () => {},
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Sessions without a carrier. */
  get waiting(): number {
    return [...this.#sessions.values()].filter(({ session }) => session.aloneSince !== undefined).length;
  }

  /** Bytes that those hold. */
  get waitingBytes(): number {
    return this.#alone().reduce((sum, { session }) => sum + session.heldBytes, 0);
  }

  all(): Iterable<KeptSession> {
    return this.#sessions.values();
  }

  find(id: Uint8Array): KeptSession | undefined {
    return this.#sessions.get(keyOf(id));
  }

  /** Keeps a new session under an id that cannot be guessed. @returns `undefined` when there are as many as may be. */
  add(user: string, make: (forget: () => void) => Session): KeptSession | undefined {
    if (this.#sessions.size >= this.#limits.sessions && !this.#endOne()) return undefined;
    const known = { id: randomBytes(sessionIdBytes), key: randomBytes(sessionKeyBytes) };
    const key = keyOf(known.id);
    const kept = { known, user, session: make(() => void this.#sessions.delete(key)) };
    this.#sessions.set(key, kept);
    this.#checkLater();
    return kept;
  }

  close(reason: Error): void {
    this.#check?.cancel();
    for (const { session } of [...this.#sessions.values()]) session.close(reason);
  }

  #checkLater(): void {
    this.#check ??= this.#clock.after(this.#limits.sessionCheckMs, () => {
      this.#check = undefined;
      this.#endForgotten();
      if (this.#sessions.size > 0) this.#checkLater();
    });
  }

  #endForgotten(): void {
    const { sessionAwayMs, sessionAwayBytes } = this.#limits;
    const now = this.#clock.now();
    let held = 0;
    for (const { session } of this.#alone()) {
      held += session.heldBytes;
      const awayMs = now - (session.aloneSince ?? now);
      if (awayMs >= sessionAwayMs || held > sessionAwayBytes || session.tunnels.size === 0)
        this.#end(session);
    }
  }

  /** Makes room by ending the session that has waited longest. */
  #endOne(): boolean {
    const oldest = this.#alone().at(-1);
    if (oldest === undefined) return false;
    this.#end(oldest.session);
    return true;
  }

  #end(session: Session): void {
    const now = this.#clock.now();
    const { heldBytes, aloneSince = now, tunnels } = session;
    if (tunnels.size > 0) {
      this.#onForgotten({ tunnels: tunnels.size, heldBytes, awayMs: Math.round(now - aloneSince) });
    }
    session.close(new SessionForgottenError('its gateway did not come back'));
  }

  /** Sessions without a carrier, those that were left last first. */
  #alone(): KeptSession[] {
    return [...this.#sessions.values()]
      .filter(({ session }) => session.aloneSince !== undefined)
      .sort((one, other) => (other.session.aloneSince ?? 0) - (one.session.aloneSince ?? 0));
  }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id).toString('latin1');
}
