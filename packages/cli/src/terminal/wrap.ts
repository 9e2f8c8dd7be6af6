/** Columns that texts for people are written for. */
export const textColumns = 80;

/** How a text is broken into lines. */
export interface WrapOptions {
  /** What the first line begins with. Default: nothing. */
  readonly lead?: string;
  /** What the lines after it begin with. Default: as many blanks as `lead` has letters. */
  readonly next?: string;
  /** Most letters of a line. Default {@link textColumns}. */
  readonly columns?: number;
}

/**
 * Breaks a text between words, so that no terminal breaks it within one. A word that is longer than a line stays whole:
 * addresses, paths and commands are there to be copied.
 *
 * @returns Lines without a newline at the end; line breaks of the text itself and the blanks after them are kept.
 */
export function wrapText(text: string, options: WrapOptions = {}): string[] {
  const { lead = '', columns = textColumns } = options;
  const next = options.next ?? ' '.repeat(lead.length);
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    const indent = /^ */.exec(paragraph)?.[0] ?? '';
    let line = (lines.length === 0 ? lead : next) + indent;
    let isEmpty = true;
    for (const word of paragraph.slice(indent.length).split(' ')) {
      if (!isEmpty && line.length + 1 + word.length > columns) {
        lines.push(line);
        line = next + indent;
        isEmpty = true;
      }
      line += isEmpty ? word : ` ${word}`;
      isEmpty = false;
    }
    lines.push(line.trimEnd());
  }
  return lines;
}

/** Most letters of a line that is written there: a terminal has an edge, a file has none. */
export function columnsOf(stream: { readonly isTTY?: boolean; readonly columns?: number }): number {
  if (stream.isTTY !== true) return Number.POSITIVE_INFINITY;
  return Math.min(stream.columns || textColumns, textColumns);
}
