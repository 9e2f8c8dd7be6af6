import type { Clock } from '@manypath/core';
import type { Lookup } from '@manypath/mptcp';

/** What {@link followName} needs. */
export interface FollowNameOptions {
  readonly lookup: Lookup;
  /** Has `lookup` ask anew for a name. */
  readonly forgetName?: ((host: string) => void) | undefined;
  /** How often it is looked where the name leads, in milliseconds. */
  readonly nameCheckMs: number;
  readonly clock: Clock;
}

/**
 * Dials a name, and dials anew when the name leads elsewhere before anybody has answered: who has moved is not waited for at the
 * old address, which may be silent.
 *
 * @param dial Dials with a lookup of its own, and gives up when its signal is aborted.
 * @throws what `dial` throws
 */
export async function followName<T>(
  host: string,
  options: FollowNameOptions,
  signal: AbortSignal,
  dial: (lookup: Lookup, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (;;) {
    const over = new AbortController();
    const moved = new AbortController();
    let dialled: readonly string[] = [];
    const lookup: Lookup = async (name, question) => {
      const found = await options.lookup(name, question);
      dialled = found.map(({ address }) => address);
      return found;
    };
    watchName(host, options, {
      dialled: () => dialled,
      onMoved: () => moved.abort(),
      signal: over.signal,
    });
    try {
      return await dial(lookup, AbortSignal.any([signal, moved.signal]));
    } catch (error) {
      if (signal.aborted || !moved.signal.aborted) throw error;
    } finally {
      over.abort();
    }
  }
}

interface Watched {
  /** Where the name led; empty while the first lookup is not over. */
  readonly dialled: () => readonly string[];
  readonly onMoved: () => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** Tells, once, that a name leads to none of its former addresses any more. */
function watchName(host: string, options: FollowNameOptions, { dialled, onMoved, signal }: Watched): void {
  const { lookup, forgetName, nameCheckMs, clock } = options;
  const hasMoved = async (): Promise<boolean> => {
    if (dialled().length === 0) return false;
    forgetName?.(host);
    const found = await lookup(host, { family: 0, signal }).catch(() => []);
    return found.length > 0 && !found.some(({ address }) => dialled().includes(address));
  };
  const look = async (): Promise<void> => {
    const isMoved = await hasMoved();
    if (signal.aborted) return;
    if (isMoved) onMoved();
    else wait();
  };
  const wait = (): void => {
    const timer = clock.after(nameCheckMs, () => void look());
    signal.addEventListener('abort', () => timer.cancel(), { once: true });
  };
  wait();
}
