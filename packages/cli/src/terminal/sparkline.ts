const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/**
 * Draws a series as a row of blocks, one character a value.
 *
 * @param values Any non-negative numbers; nothing is drawn for zero but a dot on the ground line.
 * @param top The value that fills a character.
 */
export function sparkline(values: readonly number[], top: number): string {
  return values.map(value => block(value / top)).join('');
}

function block(share: number): string {
  if (share < 0.02) return '·';
  const level = Math.min(blocks.length - 1, Math.floor(share * blocks.length));
  return blocks[level] ?? '█';
}

/** Averages a series down to at most `columns` values, keeping its length in time. */
export function resample(values: readonly number[], columns: number): number[] {
  if (values.length <= columns) return [...values];
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / columns));
    const slice = values.slice(from, to);
    return slice.reduce((sum, value) => sum + value, 0) / slice.length;
  });
}
