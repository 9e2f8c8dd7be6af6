/** What the user wants; it survives restarts of the browser. */
export interface Choice {
  /** Whether connections go by the gateway. */
  readonly multipath: boolean;
  /** What happens while no gateway runs: connections go straight out (`open`), or nowhere (`closed`). */
  readonly whenGone: 'open' | 'closed';
}

export const defaultChoice: Choice = { multipath: true, whenGone: 'open' };

/** The stored choice, with defaults for what was never chosen or cannot be read. */
export async function readChoice(): Promise<Choice> {
  return choiceFrom(await chrome.storage.local.get(['multipath', 'whenGone']));
}

/** Stores a part of the choice. The service worker is told by the browser, and puts it into force. */
export async function storeChoice(change: Partial<Choice>): Promise<void> {
  await chrome.storage.local.set(change);
}

/** Reads a choice from what a storage gave. */
export function choiceFrom(stored: Readonly<Record<string, unknown>>): Choice {
  const { multipath, whenGone } = stored;
  return {
    multipath: typeof multipath === 'boolean' ? multipath : defaultChoice.multipath,
    whenGone: whenGone === 'closed' ? 'closed' : 'open',
  };
}
