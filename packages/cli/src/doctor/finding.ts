/** One thing that was looked at. */
export interface Finding {
  /** Stays the same from release to release: scripts rely on it. */
  readonly id: string;
  readonly ok: boolean;
  /** What was found, in one line. */
  readonly cause: string;
  /** What to do about it, in one line; `null` when nothing is to be done. */
  readonly fix: string | null;
  /** Does what `fix` says, where that is safe. @returns Whether it worked. */
  readonly apply?: () => boolean;
}

export function good(id: string, cause: string): Finding {
  return { id, ok: true, cause, fix: null };
}

export function bad(id: string, cause: string, fix: string, apply?: () => boolean): Finding {
  return { id, ok: false, cause, fix, ...(apply === undefined ? {} : { apply }) };
}
