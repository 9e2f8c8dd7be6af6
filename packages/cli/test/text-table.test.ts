import { describe, expect, it } from 'vitest';
import { resample, sparkline } from '../src/terminal/sparkline.ts';
import { textTable } from '../src/terminal/text-table.ts';

describe('a text table', () => {
  it('aligns columns by what they hold', () => {
    const table = textTable(
      ['PATH', 'IN'],
      [
        ['wlan0', '1 MB'],
        ['a', '12 MB'],
      ],
      ['left', 'right'],
    );
    expect(table).toBe('PATH      IN\nwlan0   1 MB\na      12 MB');
  });

  it('stays within 80 columns by shortening the widest text', () => {
    const table = textTable(['TARGET', 'IN'], [['x'.repeat(200), '1 MB']], ['left', 'right']);
    const lines = table.split('\n');
    expect(Math.max(...lines.map(line => line.length))).toBe(80);
    expect(lines[1]).toMatch(/^x+… {2}1 MB$/);
  });
});

describe('a sparkline', () => {
  it('gives every value a block of its height', () => {
    expect(sparkline([0, 10, 50, 100, 1000], 100)).toBe('·▁▅██');
  });

  it('averages a long series into the columns there are', () => {
    expect(resample([1, 3, 5, 7], 2)).toEqual([2, 6]);
    expect(resample([1, 2], 5)).toEqual([1, 2]);
  });
});
