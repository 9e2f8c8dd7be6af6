import type { ConnectionStatus, Overview, PathStatus, StatusDocument, TrafficHistory } from '@manypath/core';
import { signal } from '@preact/signals';
import { type ComponentChild, h, render } from 'preact';
import { showBadge } from '../badge.ts';
import { type Choice, defaultChoice, readChoice, storeChoice } from '../choice.ts';
import { explainPage, type PageSummary } from '../explain-connections.ts';
import { type PathRate, PathRates } from '../path-rates.ts';
import { kindWords, rateWords, usageWords } from '../path-words.ts';
import { proxyRival } from '../proxy-setting.ts';
import { relayWords } from '../relay-words.ts';
import { GatewaySession } from '../session.ts';
import { statusLine } from '../status-line.ts';
import { statusSeverity } from '../status-severity.ts';
import { hostsOfTab } from '../tab-hosts.ts';
import { pathColours, TrafficChart } from '../traffic-chart.ts';

/** How often the gateway is asked, in milliseconds. */
const refreshMs = 1000;

const choice = signal<Choice>(defaultChoice);
const overview = signal<Overview | undefined>(undefined);
const rates = signal<ReadonlyMap<string, PathRate>>(new Map());
const history = signal<TrafficHistory>({ stepMs: 1000, paths: [] });
const rival = signal<string | undefined>(undefined);
const tabHosts = signal<ReadonlySet<string> | undefined>(undefined);
const connections = signal<readonly ConnectionStatus[]>([]);
const meter = new PathRates();
const session = new GatewaySession(() => void refresh());

function Popup(): ComponentChild {
  const { multipath } = choice.value;
  const paths = overview.value?.paths ?? [];
  const standing = [choice.value, session.state.value, overview.value, rival.value] as const;
  const severity = statusSeverity(...standing);
  return h('main', null, [
    h('header', null, [
      h('h1', null, 'Manypath'),
      h(
        'button',
        {
          type: 'button',
          role: 'switch',
          'aria-checked': multipath ? 'true' : 'false',
          'aria-label': 'Multipath',
          class: severity === 'broken' ? 'without-effect' : undefined,
          onClick: () => void choose({ multipath: !multipath }),
        },
        h('span', { class: 'knob' }),
      ),
    ]),
    h('p', { class: `status ${severity}`, role: 'status' }, statusLine(...standing)),
    overview.value === undefined
      ? null
      : [
          h(TrafficChart, { history: history.value, names: paths.map(({ name }) => name), height: 130 }),
          h(Totals, null),
        ],
    ...paths.map(path => h(PathCard, { key: path.name, path })),
    overview.value === undefined ? null : h(TabView, null),
    h('footer', null, [
      h('a', { href: 'dashboard.html', target: '_blank' }, 'Dashboard'),
      h('a', { href: 'options.html', target: '_blank' }, 'Settings'),
    ]),
  ]);
}

/** What all paths carry together, and where it goes. */
function Totals(): ComponentChild {
  const relay = overview.value?.relay ?? null;
  const sum = (of: (rate: PathRate) => number) =>
    [...rates.value.values()].reduce((total, rate) => total + of(rate), 0);
  const [down, up] = [sum(rate => rate.down), sum(rate => rate.up)];
  const isLost =
    relay !== null && (relay.waiting !== null || relay.state === 'away' || relay.state === 'refused');
  return h('section', { class: 'totals', 'aria-label': 'All paths together' }, [
    h('p', null, h('strong', null, `↓ ${rateWords(down)}  ↑ ${rateWords(up)}`)),
    h(
      'p',
      { id: 'relay', class: isLost ? 'bad' : undefined },
      relay === null ? 'No relay' : `Relay ${relayWords(relay)}`,
    ),
  ]);
}

function PathCard({ path }: { path: PathStatus }): ComponentChild {
  const rate = rates.value.get(path.name);
  const order = (overview.value?.paths ?? []).findIndex(({ name }) => name === path.name);
  const colour = pathColours[order % pathColours.length];
  return h(
    'section',
    {
      'data-path': path.name,
      'data-down-bytes-per-second': rate && Math.round(rate.down),
      'data-up-bytes-per-second': rate && Math.round(rate.up),
    },
    [
      h('h2', null, [
        h('span', { class: 'mark', style: `background: ${colour}` }),
        `${kindWords(path)} `,
        h('small', null, path.network ?? path.name),
      ]),
      h(
        'p',
        { class: `health ${path.health}` },
        `${path.tier}, ${path.healthReason ?? path.health}${path.rttMs === null ? '' : `, ${Math.round(path.rttMs)} ms`}`,
      ),
      h('p', null, `↓ ${rateWords(rate?.down ?? 0)}  ↑ ${rateWords(rate?.up ?? 0)}`),
      h('p', null, usageWords(path)),
    ],
  );
}

function TabView(): ComponentChild {
  const hosts = tabHosts.value;
  if (hosts === undefined) return null;
  const summary = explainPage(hosts, connections.value, overview.value?.paths ?? []);
  return h('section', { class: 'tab', 'aria-label': 'This tab' }, [
    h('h2', null, 'This tab'),
    ...tabLines(summary).map(line => h('p', { key: line }, line)),
  ]);
}

function tabLines({ lines }: PageSummary): readonly string[] {
  return lines.length === 0 ? ['No connection of it is open just now.'] : lines;
}

async function choose(change: Partial<Choice>): Promise<void> {
  choice.value = { ...choice.value, ...change };
  await storeChoice(change);
}

async function refresh(): Promise<void> {
  rival.value = await proxyRival();
  try {
    const answer = await session.ask<Overview>('overview');
    rates.value = meter.take(answer.carried, performance.now());
    history.value = await session.ask<TrafficHistory>('history');
    overview.value = answer;
    if (tabHosts.value !== undefined)
      connections.value = (await session.ask<StatusDocument>('status')).connections;
  } catch {
    overview.value = undefined;
  }
  await showBadge(choice.value, overview.value);
}

render(h(Popup, null), document.body);
void readChoice().then(stored => {
  choice.value = stored;
});
chrome.storage.onChanged.addListener(async () => {
  choice.value = await readChoice();
});
void hostsOfTab().then(hosts => {
  tabHosts.value = hosts;
});
setInterval(() => void refresh(), refreshMs);
