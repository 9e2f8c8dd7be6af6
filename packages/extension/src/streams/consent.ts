import { isGrantHost, needsLocal, type StreamGrant, type StreamWish } from '@manypath/core';
import { addGrants, grantFor, grantsIn, readGrants } from './grants.ts';
import type { PageIdentity, Verdict } from './stream-switch.ts';

/** What the page that asks the user is told, and answers; on a port named `consent:ID`. */
export interface ConsentQuestion {
  readonly origin: string;
  readonly wishes: readonly StreamWish[];
}
export interface ConsentAnswer {
  readonly answer: 'once' | 'always' | 'no';
}

/** Questions that wait for the user at once; further ones are answered with no. */
const mostQuestions = 20;

interface Question {
  readonly page: PageIdentity;
  readonly wishes: readonly StreamWish[];
  readonly answered: Promise<ConsentAnswer['answer']>;
  answer(answer: ConsentAnswer['answer']): void;
}

const notAllowed = (reason: string): Verdict => ({ allowed: false, local: false, reason });

/** Knows what the user allowed, and asks them where they were not asked yet. */
export class Consent {
  readonly #config: () => Promise<Readonly<Record<string, unknown>>>;
  readonly #questions = new Map<string, Question>();
  /** What was allowed to a page until it goes. */
  readonly #once = new WeakMap<PageIdentity, StreamGrant[]>();
  readonly #refused = new WeakMap<PageIdentity, StreamWish[]>();
  /** Pages with what they were allowed once, for {@link allows}. */
  #known: readonly StreamGrant[] = [];

  /** @param config Tells the gateway's configuration. */
  constructor(config: () => Promise<Readonly<Record<string, unknown>>>) {
    this.#config = config;
  }

  /** Whether a page may reach all that it asks for; asks the user if need be. */
  async authorize(page: PageIdentity, wishes: readonly StreamWish[]): Promise<Verdict> {
    const bad = wishes.find(({ host }) => !isGrantHost(host));
    if (bad !== undefined) return notAllowed(`nobody can be allowed "${bad.host}"`);
    const missing = await this.#missing(page, wishes);
    if (missing.length === 0) return { allowed: true, local: this.#isLocal(page, wishes), reason: '' };
    const refused = this.#refused.get(page) ?? [];
    if (missing.some(wish => refused.some(one => isSame(one, wish)))) return notAllowed(refusal(missing));
    const answer = await this.#ask(page, missing);
    if (answer === 'no') {
      this.#refused.set(page, [...refused, ...missing]);
      return notAllowed(refusal(missing));
    }
    const grants = missing.map(wish => grantOf(page, wish));
    if (answer === 'always') await addGrants(grants);
    else this.#once.set(page, [...(this.#once.get(page) ?? []), ...grants]);
    return { allowed: true, local: wishes.some(needsLocal) || this.#isLocal(page, wishes), reason: '' };
  }

  /** Whether a page may reach something after grants have changed. */
  async recheck(): Promise<(page: PageIdentity, wish: StreamWish) => boolean> {
    const known = await this.#read();
    return (page, wish) =>
      grantFor([...known, ...(this.#once.get(page) ?? [])], page.origin, wish) !== undefined;
  }

  /** Serves the page that asks the user. */
  serve(port: chrome.runtime.Port): void {
    const id = /^consent:(.+)$/.exec(port.name)?.[1];
    const question = id === undefined ? undefined : this.#questions.get(id);
    if (question === undefined) {
      port.disconnect();
      return;
    }
    const { page, wishes } = question;
    port.postMessage({ origin: page.origin, wishes } satisfies ConsentQuestion);
    port.onMessage.addListener((message: ConsentAnswer) => question.answer(message.answer));
    // Who closes the window has not allowed anything.
    port.onDisconnect.addListener(() => question.answer('no'));
  }

  async #missing(page: PageIdentity, wishes: readonly StreamWish[]): Promise<StreamWish[]> {
    const grants = [...(await this.#read()), ...(this.#once.get(page) ?? [])];
    return wishes.filter(wish => grantFor(grants, page.origin, wish) === undefined);
  }

  async #read(): Promise<readonly StreamGrant[]> {
    const config = await this.#config().catch(() => ({}));
    this.#known = [...(await readGrants()), ...grantsIn(config)];
    return this.#known;
  }

  #isLocal(page: PageIdentity, wishes: readonly StreamWish[]): boolean {
    const grants = [...this.#known, ...(this.#once.get(page) ?? [])].filter(({ local }) => local === true);
    return wishes.some(wish => grantFor(grants, page.origin, wish) !== undefined);
  }

  /** Opens a window that asks; the same question is asked once, however often a page has it. */
  async #ask(page: PageIdentity, wishes: readonly StreamWish[]): Promise<ConsentAnswer['answer']> {
    for (const { page: other, wishes: asked, answered } of this.#questions.values()) {
      const isAsked = wishes.every(wish => asked.some(one => isSame(one, wish)));
      if (other.origin === page.origin && isAsked) return answered;
    }
    if (this.#questions.size >= mostQuestions) return 'no';
    const id = crypto.randomUUID();
    let answer: (answer: ConsentAnswer['answer']) => void = () => {};
    const answered = new Promise<ConsentAnswer['answer']>(resolve => {
      answer = resolve;
    });
    this.#questions.set(id, { page, wishes, answered, answer });
    try {
      const url = `consent.html#${id}`;
      await chrome.windows.create({ url, type: 'popup', width: 460, height: 400, focused: true });
      return await answered;
    } catch {
      return 'no';
    } finally {
      this.#questions.delete(id);
    }
  }
}

function grantOf({ origin }: PageIdentity, wish: StreamWish): StreamGrant {
  const { host, port } = wish;
  return { origin, host: host.toLowerCase(), port, ...(needsLocal(wish) ? { local: true } : {}) };
}

function isSame(one: StreamWish, other: StreamWish): boolean {
  return one.host === other.host && one.port === other.port && needsLocal(one) === needsLocal(other);
}

function refusal(wishes: readonly StreamWish[]): string {
  const [first] = wishes;
  return `the user did not allow this page ${first?.host ?? ''} port ${first?.port ?? ''}`;
}
