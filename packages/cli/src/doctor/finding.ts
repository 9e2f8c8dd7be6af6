/** One thing that was looked at. */
export interface Finding {
  /** Stays the same from release to release: scripts rely on it. */
  readonly id: string;
  /** Whether nothing is wrong. Something that is as it may be, and could be better, is ok and has a `fix`. */
  readonly ok: boolean;
  /** What was found, in one line. */
  readonly cause: string;
  /** What to do about it, in one line; `null` when nothing is to be done. */
  readonly fix: string | null;
  /** Does what `fix` says, where that is safe. @returns Whether it worked. */
  readonly apply?: () => boolean | Promise<boolean>;
}

export function good(id: string, cause: string): Finding {
  return { id, ok: true, cause, fix: null };
}

/** Nothing is wrong, and something could be better: a host with one link may be meant to have one. */
export function note(id: string, cause: string, fix: string): Finding {
  return { id, ok: true, cause, fix };
}

export function bad(id: string, cause: string, fix: string, apply?: Finding['apply']): Finding {
  return { id, ok: false, cause, fix, ...(apply === undefined ? {} : { apply }) };
}
