import { type ComponentChild, h } from 'preact';

/** A column of a {@link Table}. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => ComponentChild;
  /** Whether it names the row. */
  readonly isHead?: boolean;
  readonly isNumber?: boolean;
}

export interface TableProps<Row> {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** Said in place of the table when there are no rows. */
  readonly empty: string;
}

/** A table with a caption and named rows and columns, as screen readers need it. */
export function Table<Row>({ id, title, columns, rows, keyOf, empty }: TableProps<Row>): ComponentChild {
  if (rows.length === 0) return h('section', { id }, [h('h2', null, title), h('p', null, empty)]);
  const numberClass = ({ isNumber }: Column<Row>) => (isNumber ? 'number' : undefined);
  // What scrolls has to be reachable by keyboard.
  return h('section', { id, class: 'wide', tabIndex: 0, 'aria-label': title }, [
    h('table', null, [
      h('caption', null, title),
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          columns.map(column => h('th', { scope: 'col', class: numberClass(column) }, column.title)),
        ),
      ),
      h(
        'tbody',
        null,
        rows.map(row =>
          h(
            'tr',
            { key: keyOf(row) },
            columns.map(column =>
              column.isHead
                ? h('th', { scope: 'row' }, column.cell(row))
                : h('td', { class: numberClass(column) }, column.cell(row)),
            ),
          ),
        ),
      ),
    ]),
  ]);
}
