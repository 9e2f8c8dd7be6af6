import { createInterface } from 'node:readline';
import { Readable, Writable } from 'node:stream';
import { exitCodes } from './failure.ts';

/**
 * Asks for one line on the terminal, without showing what is typed or pasted.
 *
 * @returns What brings that line; nothing when the terminal is closed. Ctrl-C ends the process, as it does elsewhere.
 */
export function askHidden(question: string): Readable {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  process.stderr.write(question);
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  const answer = new Readable({ read() {} });
  lines.once('line', line => {
    answer.push(`${line}\n`);
    lines.close();
  });
  lines.once('SIGINT', () => {
    lines.close();
    process.exit(exitCodes.interrupted);
  });
  lines.once('close', () => {
    process.stderr.write('\n');
    answer.push(null);
  });
  return answer;
}
