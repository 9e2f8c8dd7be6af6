import { promises as dns } from 'node:dns';
import type { Clock } from '@manypath/core';
import type { Lookup } from '@manypath/mptcp';

type Answer = readonly { address: string; family: number }[];

/**
 * The system's resolver with a short memory. Who asks for the same name at the same time shares one lookup: a browser
 * opens six connections to a host at once, and the resolver has four threads.
 */
export function cachingLookup(
  limits: { readonly nameMs: number; readonly namesKept: number },
  clock: Clock,
  resolve: (host: string, family: 0 | 4 | 6) => Promise<Answer> = systemResolver,
): { lookup: Lookup; forget: () => void } {
  const answers = new Map<string, { answer: Promise<Answer>; until: number }>();

  const lookup: Lookup = (host, { family }) => {
    const key = `${family} ${host.toLowerCase()}`;
    const known = answers.get(key);
    if (known !== undefined && known.until > clock.now()) return known.answer;
    const entry = { answer: resolve(host, family), until: clock.now() + limits.nameMs };
    answers.delete(key);
    answers.set(key, entry);
    if (answers.size > limits.namesKept) forgetOldest(answers);
    entry.answer.catch(() => {
      if (answers.get(key) === entry) answers.delete(key);
    });
    return entry.answer;
  };
  return { lookup, forget: () => answers.clear() };
}

function systemResolver(host: string, family: 0 | 4 | 6): Promise<Answer> {
  return dns.lookup(host, { all: true, family });
}

function forgetOldest(answers: Map<string, unknown>): void {
  for (const key of answers.keys()) {
    answers.delete(key);
    return;
  }
}
