export type Alignment = 'left' | 'right';

/** Columns of a terminal as most people have it. */
const terminalColumns = 80;
const gap = 2;

/**
 * Lays out a table in columns, within 80 columns: the widest left-aligned column gives way, with an ellipsis.
 *
 * @returns Lines without a newline at the end.
 */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[],
): string {
  const lines = [head, ...rows];
  const widths = fitted(
    head.map((_, column) => Math.max(...lines.map(line => (line[column] ?? '').length))),
    alignments,
  );
  return lines
    .map(line =>
      widths
        .map((width, column) => cell(line[column] ?? '', width, alignments[column]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function fitted(widths: number[], alignments: readonly Alignment[]): number[] {
  const total = widths.reduce((sum, width) => sum + width, gap * (widths.length - 1));
  const excess = total - terminalColumns;
  if (excess <= 0) return widths;
  const candidates = widths.map((width, column) => (alignments[column] === 'left' ? width : 0));
  const widest = candidates.indexOf(Math.max(...candidates));
  return widths.map((width, column) => (column === widest ? Math.max(8, width - excess) : width));
}

function cell(text: string, width: number, alignment: Alignment | undefined): string {
  const short = text.length > width ? `${text.slice(0, width - 1)}…` : text;
  return alignment === 'right' ? short.padStart(width) : short.padEnd(width);
}
