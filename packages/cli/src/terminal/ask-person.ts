import { createInterface } from 'node:readline';

/** What somebody chose; `undefined` when they closed the input instead. */
export type Choice = 'yes' | 'always' | 'no' | undefined;

/** Asks on the terminal. Just pressing Enter is a yes; ctrl-C ends this process. */
export function askPerson(question: string): Promise<Choice> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise(resolve => {
    prompt.once('close', () => {
      process.stdin.pause();
      resolve(undefined);
    });
    prompt.once('SIGINT', () => {
      prompt.close();
      process.kill(process.pid, 'SIGINT');
    });
    const put = (): void =>
      prompt.question(question, said => {
        const choice = choiceOf(said);
        if (choice === undefined) return put();
        resolve(choice);
        prompt.close();
      });
    put();
  });
}

/** `undefined` when it cannot be told. */
export function choiceOf(said: string): Choice {
  const word = said.trim().toLowerCase();
  if (word === '') return 'yes';
  return (['yes', 'always', 'no'] as const).find(choice => choice.startsWith(word));
}
