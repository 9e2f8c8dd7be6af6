import { isGrantHost, needsLocal, type StreamGrant, type StreamWish } from '@manypath/core';
import { type ConsentChoice, ConsentWindows } from './consent-window.ts';
import { addGrants, grantFor, grantsIn, originsOfPrograms, readGrants } from './grants.ts';
import { addDenial, addRefusal, isRefused, readDenials, readRefusals } from './refusals.ts';
import type { PageIdentity, Verdict } from './stream-switch.ts';

const notAllowed = (reason: string): Verdict => ({ allowed: false, local: false, reason });

/** Knows what the user allowed, and what not, and asks them where they were not asked yet. */
export class Consent {
  readonly #config: () => Promise<Readonly<Record<string, unknown>>>;
  readonly #windows = new ConsentWindows(keepAnswer);
  /** What was allowed to a page until it goes. */
  readonly #once = new WeakMap<PageIdentity, StreamGrant[]>();
  /** What was allowed for always when that was read last. */
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
    if (missing.length > 0 && !(await this.#askFor(page, missing))) return notAllowed(refusal(missing));
    return { allowed: true, local: wishes.some(needsLocal) || this.#isLocal(page, wishes), reason: '' };
  }

  /**
   * Whether a page may know of the extension: one whose origin is allowed something, be it that the user allows it when asked
   * this time.
   */
  async admit(page: PageIdentity, wishes: readonly StreamWish[]): Promise<boolean> {
    if (await this.#isKnown(page)) return true;
    return wishes.length > 0 && (await this.authorize(page, wishes)).allowed;
  }

  async #isKnown(page: PageIdentity): Promise<boolean> {
    const isOurs = ({ origin }: { origin: string }) => origin === page.origin;
    if (this.#once.has(page) || (await this.#read()).some(isOurs)) return true;
    return originsOfPrograms(await this.#config().catch(() => ({}))).includes(page.origin);
  }

  /** Whether a page may reach something after grants have changed. */
  async recheck(): Promise<(page: PageIdentity, wish: StreamWish) => boolean> {
    const known = await this.#read();
    return (page, wish) =>
      grantFor([...known, ...(this.#once.get(page) ?? [])], page.origin, wish) !== undefined;
  }

  /** Serves the page that asks the user. */
  serve(port: chrome.runtime.Port): void {
    this.#windows.serve(port);
  }

  /** Asks the user, unless they have said what they want, and keeps the answer. @returns Whether they allow it. */
  async #askFor(page: PageIdentity, wishes: readonly StreamWish[]): Promise<boolean> {
    const { origin } = page;
    if ((await readDenials()).includes(origin)) return false;
    if (isRefused(await readRefusals(), origin, wishes)) return false;
    const answer = await this.#windows.ask(origin, wishes);
    if (answer === 'once') {
      const grants = wishes.map(wish => grantOf(origin, wish));
      this.#once.set(page, [...(this.#once.get(page) ?? []), ...grants]);
    }
    return answer === 'once' || answer === 'always';
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
}

/** Keeps an answer that holds longer than the page. */
async function keepAnswer(
  origin: string,
  wishes: readonly StreamWish[],
  answer: ConsentChoice,
): Promise<void> {
  if (answer === 'never') await addDenial(origin);
  if (answer === 'no') await addRefusal(origin, wishes);
  if (answer === 'always') await addGrants(wishes.map(wish => grantOf(origin, wish)));
}

function grantOf(origin: string, wish: StreamWish): StreamGrant {
  const { host, port } = wish;
  return { origin, host: host.toLowerCase(), port, ...(needsLocal(wish) ? { local: true } : {}) };
}

function refusal(wishes: readonly StreamWish[]): string {
  const [first] = wishes;
  return `the user did not allow this page ${first?.host ?? ''} port ${first?.port ?? ''}`;
}
