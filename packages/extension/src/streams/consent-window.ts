import type { StreamWish } from '@manypath/core';
import { isSameWish } from './refusals.ts';

/** What the page that asks the user is told, and again when there is more; on a port named `consent:ID`. */
export interface ConsentQuestion {
  readonly origin: string;
  readonly wishes: readonly StreamWish[];
}

/** What the user may answer: until the page goes, for always, not now, never. */
export type ConsentChoice = 'once' | 'always' | 'no' | 'never';

export interface ConsentAnswer {
  readonly answer: ConsentChoice;
  /** How many wishes the user saw: what came after that was not answered. */
  readonly seen: number;
}

/** Hosts that are asked for in one window. */
const mostWishes = 50;
/** Origins that wait for the user at once. */
const mostOrigins = 20;

type KeepAnswer = (origin: string, wishes: readonly StreamWish[], answer: ConsentChoice) => Promise<void>;

/** A question about an origin, which has one window. */
class Question {
  readonly id = crypto.randomUUID();
  readonly origin: string;
  readonly wishes: StreamWish[] = [];
  /** The user has answered. */
  readonly answered: Promise<ConsentAnswer>;
  /** The same, when it has been kept. */
  readonly kept: Promise<ConsentAnswer>;
  port: chrome.runtime.Port | undefined;
  #answer: (answer: ConsentAnswer) => void = () => {};

  /** @param keep Keeps what was answered, for who asks later. */
  constructor(origin: string, keep: KeepAnswer) {
    this.origin = origin;
    this.answered = new Promise(resolve => {
      this.#answer = resolve;
    });
    this.kept = this.answered.then(async given => {
      const isForAll = given.answer === 'no' || given.answer === 'never';
      await keep(origin, isForAll ? this.wishes : this.wishes.slice(0, given.seen), given.answer);
      return given;
    });
  }

  answer(choice: ConsentChoice, seen = this.wishes.length): void {
    this.#answer({ answer: choice, seen });
  }

  /** @returns Whether there was room for them. */
  add(wishes: readonly StreamWish[]): boolean {
    const added = wishes.filter(wish => !this.wishes.some(one => isSameWish(one, wish)));
    if (this.wishes.length + added.length > mostWishes) return false;
    this.wishes.push(...added);
    if (added.length > 0) this.tell();
    return true;
  }

  tell(): void {
    const { origin, wishes } = this;
    this.port?.postMessage({ origin, wishes } satisfies ConsentQuestion);
  }
}

/** Windows that ask the user: one for an origin, whatever its pages want meanwhile, and one after the other. */
export class ConsentWindows {
  readonly #keep: KeepAnswer;
  readonly #questions = new Map<string, Question>();
  #turn: Promise<void> = Promise.resolve();

  /** @param keep Called once for each window, before anybody is told the answer. */
  constructor(keep: KeepAnswer) {
    this.#keep = keep;
  }

  /** Asks. What cannot be asked is answered with no. Rejects when the answer could not be kept. */
  async ask(origin: string, wishes: readonly StreamWish[]): Promise<ConsentChoice> {
    for (;;) {
      const question = this.#questionOf(origin);
      if (question === undefined || !question.add(wishes)) return 'no';
      const { answer, seen } = await question.kept;
      const seenWishes = question.wishes.slice(0, seen);
      const isAnswered = wishes.every(wish => seenWishes.some(one => isSameWish(one, wish)));
      if (isAnswered || answer === 'no' || answer === 'never') return answer;
    }
  }

  /** Serves the page that asks the user. */
  serve(port: chrome.runtime.Port): void {
    const id = /^consent:(.+)$/.exec(port.name)?.[1];
    const question = [...this.#questions.values()].find(one => one.id === id);
    if (question === undefined) {
      port.disconnect();
      return;
    }
    question.port = port;
    question.tell();
    port.onMessage.addListener(({ answer, seen }: ConsentAnswer) => question.answer(answer, seen));
    // Who closes the window has not allowed anything.
    port.onDisconnect.addListener(() => question.answer('no'));
  }

  #questionOf(origin: string): Question | undefined {
    const known = this.#questions.get(origin);
    if (known !== undefined || this.#questions.size >= mostOrigins) return known;
    const question = new Question(origin, this.#keep);
    this.#questions.set(origin, question);
    this.#turn = this.#turn.then(() => this.#show(question));
    return question;
  }

  async #show(question: Question): Promise<void> {
    try {
      const url = `consent.html#${question.id}`;
      await chrome.windows.create({ url, type: 'popup', width: 480, height: 430, focused: true });
    } catch {
      question.answer('no');
    }
    await question.kept.catch(() => {});
    this.#questions.delete(question.origin);
  }
}
