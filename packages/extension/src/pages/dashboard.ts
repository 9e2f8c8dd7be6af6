import {
  type ConnectionStatus,
  type FailureEntry,
  formatBytes,
  type LogEntry,
  type PathRecord,
  type StatusDocument,
  type TrafficHistory,
} from '@manypath/core';
import { signal } from '@preact/signals';
import { type ComponentChild, h, render } from 'preact';
import { choiceFrom, defaultChoice, readChoice } from '../choice.ts';
import { explainConnection } from '../explain-connections.ts';
import { kindWords } from '../path-words.ts';
import { type Note, readNotes } from '../second-chance.ts';
import { GatewaySession } from '../session.ts';
import { statusLine } from '../status-line.ts';
import { statusSeverity } from '../status-severity.ts';
import { pathColours, TrafficChart } from '../traffic-chart.ts';
import { type Column, Table } from './table.ts';

/** How often the gateway is asked while the page is seen, in milliseconds. */
const refreshMs = 1000;
/** Days of which is shown how much each path carried. */
const daysShown = 14;

const choice = signal(defaultChoice);
const status = signal<StatusDocument | undefined>(undefined);
const history = signal<TrafficHistory>({ stepMs: 1000, paths: [] });
const events = signal<readonly LogEntry[]>([]);
const failures = signal<readonly FailureEntry[]>([]);
const records = signal<readonly PathRecord[]>([]);
const notes = signal<readonly Note[]>([]);
const session = new GatewaySession(() => void refresh());

function Dashboard(): ComponentChild {
  const seen = status.value;
  const overview = seen && { ...seen, carried: {} };
  const standing = [choice.value, session.state.value, overview, undefined] as const;
  return h('main', null, [
    h('header', null, [h('h1', null, 'Manypath dashboard'), h('a', { href: 'options.html' }, 'Settings')]),
    h('p', { class: `status ${statusSeverity(...standing)}`, role: 'status' }, statusLine(...standing)),
    h('section', null, [
      h('h2', null, 'Last two minutes'),
      h(TrafficChart, { history: history.value, names: pathNames(), height: 240 }),
      h(Legend, null),
    ]),
    h(Connections, null),
    h(Failures, null),
    h(Events, null),
    h(History, null),
    h(Usage, null),
  ]);
}

function pathNames(): string[] {
  return (status.value?.paths ?? []).map(({ name }) => name);
}

function Legend(): ComponentChild {
  const items = pathNames().map((name, index) =>
    h('li', { key: name }, [
      h('span', { class: 'mark', style: `background: ${pathColours[index % pathColours.length]}` }),
      name,
    ]),
  );
  return h('ul', { class: 'legend' }, items);
}

const connectionColumns: Column<ConnectionStatus>[] = [
  { title: 'Host', cell: ({ target }) => target, isHead: true },
  { title: 'State', cell: ({ state }) => state },
  {
    title: 'Way',
    cell: connection => explainConnection(connection, status.value?.paths ?? []).words,
  },
  {
    title: 'Subflows',
    cell: ({ subflows }) =>
      subflows.map(({ local, rttMs, bytesIn, bytesOut }) =>
        h(
          'div',
          { key: local },
          `${local}: ${Math.round(rttMs)} ms, ↓ ${formatBytes(bytesIn)} ↑ ${formatBytes(bytesOut)}`,
        ),
      ),
  },
  { title: 'Down', cell: ({ bytesIn }) => formatBytes(bytesIn), isNumber: true },
  { title: 'Up', cell: ({ bytesOut }) => formatBytes(bytesOut), isNumber: true },
];

function Connections(): ComponentChild {
  const rows = [...(status.value?.connections ?? [])].sort((one, other) => other.bytesIn - one.bytesIn);
  return h(Table<ConnectionStatus>, {
    id: 'connections',
    title: `Connections (${rows.length})`,
    columns: connectionColumns,
    rows: rows.slice(0, 200),
    keyOf: ({ id }) => String(id),
    empty: 'No connection is open.',
  });
}

const failureColumns: Column<FailureEntry>[] = [
  { title: 'When', cell: ({ at }) => new Date(at).toLocaleTimeString() },
  { title: 'Host', cell: ({ target }) => target, isHead: true },
  { title: 'Why', cell: ({ reason, code }) => [reason, ' ', h('small', null, code)] },
];

/** What a browser can only call ERR_TUNNEL_CONNECTION_FAILED. */
function Failures(): ComponentChild {
  return h(Table<FailureEntry>, {
    id: 'failures',
    title: 'Connections that failed',
    columns: failureColumns,
    rows: [...failures.value].reverse(),
    keyOf: ({ at, target, code }) => `${at} ${target} ${code}`,
    empty: 'None. They are kept in memory, for as long as the gateway runs.',
  });
}

type Happening = LogEntry | (Note & { kind: 'browser'; path: null; stallMs: null });

const eventColumns: Column<Happening>[] = [
  { title: 'When', cell: ({ at }) => new Date(at).toLocaleTimeString(), isHead: true },
  { title: 'What', cell: ({ kind, path, text }) => `${path ?? kind}: ${text}` },
  { title: 'Stall', cell: ({ stallMs }) => (stallMs === null ? '' : `${stallMs} ms`), isNumber: true },
];

function Events(): ComponentChild {
  const own = notes.value.map(note => ({ ...note, kind: 'browser', path: null, stallMs: null }) as const);
  const rows: Happening[] = [...events.value, ...own].sort((one, other) => other.at - one.at);
  return h(Table<Happening>, {
    id: 'events',
    title: 'What happened',
    columns: eventColumns,
    rows: rows.slice(0, 200),
    keyOf: ({ at, path, text }) => `${at} ${path} ${text}`,
    empty: 'Nothing yet.',
  });
}

type Network = PathRecord['networks'][number] & { readonly path: string };

const figure = (value: number | null, unit: string): string =>
  value === null ? '' : `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;

const networkColumns: Column<Network>[] = [
  {
    title: 'Path',
    cell: ({ path }) => {
      const known = status.value?.paths.find(({ name }) => name === path);
      return known === undefined ? path : `${kindWords(known)} ${path}`;
    },
    isHead: true,
  },
  { title: 'Network', cell: ({ network }) => network },
  { title: 'Round trip', cell: ({ rttMs }) => figure(rttMs, 'ms'), isNumber: true },
  { title: 'Down', cell: ({ downMbps }) => figure(downMbps, 'Mbit/s'), isNumber: true },
  { title: 'Up', cell: ({ upMbps }) => figure(upMbps, 'Mbit/s'), isNumber: true },
];

function History(): ComponentChild {
  return h(Table<Network>, {
    id: 'networks',
    title: 'What each path did at best, by network',
    columns: networkColumns,
    rows: records.value.flatMap(({ path, networks }) => networks.map(network => ({ ...network, path }))),
    keyOf: ({ path, network }) => `${path} ${network}`,
    empty: 'Nothing was measured yet.',
  });
}

function Usage(): ComponentChild {
  const days = [...new Set(records.value.flatMap(record => Object.keys(record.days)))]
    .sort()
    .slice(-daysShown);
  const columns: Column<PathRecord>[] = [
    { title: 'Path', cell: ({ path }) => path, isHead: true },
    ...days.map(day => ({
      title: day.slice(5),
      cell: (record: PathRecord) => (record.days[day] === undefined ? '' : formatBytes(record.days[day])),
      isNumber: true,
    })),
  ];
  return h(Table<PathRecord>, {
    id: 'usage',
    title: 'What each path carried, by day',
    columns,
    rows: records.value,
    keyOf: ({ path }) => path,
    empty: 'Nothing yet.',
  });
}

async function refresh(): Promise<void> {
  if (document.hidden) return;
  notes.value = await readNotes();
  try {
    history.value = await session.ask<TrafficHistory>('history');
    events.value = await session.ask<readonly LogEntry[]>('events');
    failures.value = await session.ask<readonly FailureEntry[]>('failures');
    records.value = await session.ask<readonly PathRecord[]>('records');
    status.value = await session.ask<StatusDocument>('status');
  } catch {
    status.value = undefined;
  }
}

render(h(Dashboard, null), document.body);
void readChoice().then(stored => {
  choice.value = stored;
});
chrome.storage.onChanged.addListener(changes => {
  const changed = Object.entries(changes).map(([key, { newValue }]) => [key, newValue] as const);
  choice.value = choiceFrom({ ...choice.value, ...Object.fromEntries(changed) });
});
setInterval(() => void refresh(), refreshMs);
