import type { StreamWish } from '@manypath/core';
import { portVersion } from '@manypath/page';
import type { Consent } from './consent.ts';
import type { DoorAnswer, DoorQuestion } from './door-messages.ts';
import type { PageIdentity } from './stream-switch.ts';
import type { Wakefulness } from './wakefulness.ts';
import { isList } from './wishes.ts';

/** Documents that are known at most; the one that asked first is forgotten. */
const mostDocuments = 4096;

/** Decides which pages may know that the extension is there, and knows them again. */
export class Admission {
  readonly #consent: Consent;
  readonly #wakefulness: Wakefulness;
  readonly #documents = new Map<string, PageIdentity>();

  constructor(consent: Consent, wakefulness: Wakefulness) {
    this.#consent = consent;
    this.#wakefulness = wakefulness;
  }

  /** Serves the script in a page: one question. The browser tells which document it is in, and of which origin. */
  serve(port: chrome.runtime.Port): void {
    const { documentId, origin } = port.sender ?? {};
    port.onMessage.addListener(async ({ wishes }: DoorQuestion) => {
      const sleep = this.#wakefulness.hold();
      try {
        if (documentId === undefined || origin === undefined || !isList(wishes)) return;
        if (await this.#admits(documentId, origin, wishes)) {
          port.postMessage({ document: documentId, version: portVersion } satisfies DoorAnswer);
        }
      } catch {
        // Who cannot be asked has not allowed it, or the page has gone.
      } finally {
        sleep();
        port.disconnect();
      }
    });
  }

  /** The page of a document, as the script in it names it. */
  pageOf(document: string, origin: string): PageIdentity {
    const page = this.#documents.get(document);
    return page?.origin === origin ? page : { origin };
  }

  async #admits(document: string, origin: string, wishes: readonly StreamWish[]): Promise<boolean> {
    const page = this.pageOf(document, origin);
    this.#documents.set(document, page);
    const [first] = this.#documents.keys();
    if (this.#documents.size > mostDocuments && first !== undefined) this.#documents.delete(first);
    return this.#consent.admit(page, wishes);
  }
}
