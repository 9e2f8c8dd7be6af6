import type { Finding } from './finding.ts';

const columns = 80;

/** The findings for people: what is wrong comes last, where the eye is. */
export function doctorText(findings: readonly Finding[]): string {
  const sorted = [...findings].sort((left, right) => Number(right.ok) - Number(left.ok));
  const lines = sorted.flatMap(({ ok, cause, fix }) => [
    ...wrapped(`${ok ? '✓' : '✗'} `, cause),
    ...(fix === null ? [] : wrapped('    → ', fix)),
  ]);
  const wrong = findings.filter(({ ok }) => !ok).length;
  const sum =
    wrong === 0
      ? 'Nothing stops Multipath TCP here.'
      : `${wrong} ${wrong === 1 ? 'thing is' : 'things are'} wrong.`;
  return `${lines.join('\n')}\n\n${sum}\n`;
}

function wrapped(lead: string, text: string): string[] {
  const lines: string[] = [];
  let line = lead;
  for (const word of text.split(' ')) {
    if (line.length + word.length > columns && line.trim() !== '') {
      lines.push(line.trimEnd());
      line = ' '.repeat(lead.length);
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}
