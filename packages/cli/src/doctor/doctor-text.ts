import { adviceForHere } from '../terminal/failure.ts';
import { paint } from '../terminal/paint.ts';
import { wrapText } from '../terminal/wrap.ts';
import type { Finding } from './finding.ts';

/** The findings for people: what is wrong comes last, where the eye is. */
export function doctorText(findings: readonly Finding[]): string {
  const sorted = [...findings].sort((left, right) => rank(left) - rank(right));
  const lines = sorted.flatMap(finding => [
    ...wrapText(finding.cause, { lead: `${mark(finding)} `, next: '  ' }),
    ...(finding.fix === null ? [] : wrapText(adviceForHere(finding.fix), { lead: '    → ' })),
  ]);
  return `${lines.map(coloured).join('\n')}\n\n${sum(findings)}\n`;
}

function sum(findings: readonly Finding[]): string {
  const wrong = findings.filter(({ ok }) => !ok).length;
  if (wrong > 0) return `${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong.`;
  const notes = findings.filter(({ fix }) => fix !== null).length;
  if (notes > 0) return `Nothing is wrong; ${notes} ${notes === 1 ? 'thing' : 'things'} could be better.`;
  return 'Nothing stops Multipath TCP here.';
}

function rank({ ok, fix }: Finding): number {
  if (!ok) return 2;
  return fix === null ? 0 : 1;
}

function mark(finding: Finding): string {
  return (['✓', '•', '✗'] as const)[rank(finding)] ?? '✗';
}

function coloured(line: string): string {
  if (line.startsWith('✓')) return paint('green', line.slice(0, 1)) + line.slice(1);
  if (line.startsWith('✗')) return paint('red', line);
  return line.startsWith('•') ? paint('yellow', line) : line;
}
