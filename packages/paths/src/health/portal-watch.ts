import type { Clock, Timer } from '@manypath/core';
import type { Path } from '../discovery/path.ts';
import { pathsLimits } from '../limits.ts';
import type { Evidence } from './judge.ts';
import { askForPortal } from './portal.ts';

export interface PortalWatchOptions {
  readonly path: () => Path;
  /** `http://` address of a page that answers 204. */
  readonly url: string;
  readonly clock: Clock;
  /** Default: a GET over the path. */
  readonly ask?: typeof askForPortal | undefined;
  readonly onEvidence: (evidence: Evidence) => void;
}

/** Looks whether a network has a captive portal, and while it has, whether the user has got past it. Begins when it is made. */
export class PortalWatch {
  readonly #options: PortalWatchOptions;
  readonly #stop = new AbortController();
  #again: Timer | undefined;

  constructor(options: PortalWatchOptions) {
    this.#options = options;
    void this.#look();
  }

  close(): void {
    this.#stop.abort();
    this.#again?.cancel();
  }

  async #look(): Promise<void> {
    const { path, url, clock, ask = askForPortal, onEvidence } = this.#options;
    const evidence = await ask(path(), url, this.#stop.signal);
    if (this.#stop.signal.aborted) return;
    if (evidence !== undefined) onEvidence(evidence);
    // Who has not answered, as before an address works, may yet.
    if (evidence?.kind === 'free') return;
    this.#again = clock.after(pathsLimits.portalRetryMs, () => void this.#look());
  }
}
