/** What the user wants; it survives restarts of the browser. */
export interface Choice {
  /** Whether connections go by the gateway. */
  readonly multipath: boolean;
  /** What happens while no gateway runs: connections go straight out (`open`), or nowhere (`closed`). */
  readonly whenGone: 'open' | 'closed';
  /** Whether what a change of the network broke off is tried once more: downloads resumed, pages loaded again. */
  readonly retry: boolean;
  /** Hosts that the browser connects to without the gateway, also by UDP: a host name, or `*.domain`. */
  readonly bypass: readonly string[];
}

export const defaultChoice: Choice = { multipath: true, whenGone: 'open', retry: true, bypass: [] };

/** Hosts in {@link Choice.bypass} at most: all of them are looked through for every request. */
export const mostBypassed = 500;

export const choiceKeys = Object.keys(defaultChoice) as (keyof Choice)[];

/** The stored choice, with defaults for what was never chosen or cannot be read. */
export async function readChoice(): Promise<Choice> {
  return choiceFrom(await chrome.storage.local.get(choiceKeys));
}

/** Stores a part of the choice. The service worker is told by the browser, and puts it into force. */
export async function storeChoice(change: Partial<Choice>): Promise<void> {
  await chrome.storage.local.set(change);
}

/** Reads a choice from what a storage, or a file, gave. */
export function choiceFrom(stored: Readonly<Record<string, unknown>>): Choice {
  const { multipath, whenGone, retry, bypass } = stored;
  return {
    multipath: typeof multipath === 'boolean' ? multipath : defaultChoice.multipath,
    whenGone: whenGone === 'closed' ? 'closed' : 'open',
    retry: typeof retry === 'boolean' ? retry : defaultChoice.retry,
    bypass: Array.isArray(bypass) ? bypass.filter(isBypass).slice(0, mostBypassed) : [],
  };
}

/** Whether something names hosts that can be bypassed: a host name or an address, or `*.domain`. */
export function isBypass(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 253 && /^(\*\.)?[0-9a-z_:.-]*[0-9a-z]$/.test(value);
}
