import { formatBytes, formatRate, type Overview, type PathStatus } from '@manypath/core';
import { signal } from '@preact/signals';
import { type ComponentChild, h, render } from 'preact';
import { type Choice, defaultChoice, readChoice, storeChoice } from './choice.ts';
import { HostPort, type HostState } from './host-port.ts';
import { type PathRate, PathRates } from './path-rates.ts';
import { applyChoice, proxyRival } from './proxy-setting.ts';
import { statusLine } from './status-line.ts';

/** How often the gateway is asked, in milliseconds. */
const refreshMs = 1000;

const choice = signal<Choice>(defaultChoice);
const host = signal<HostState>({ kind: 'connecting' });
const overview = signal<Overview | undefined>(undefined);
const rates = signal<ReadonlyMap<string, PathRate>>(new Map());
const rival = signal<string | undefined>(undefined);
const meter = new PathRates();
let port: HostPort | undefined;

const kinds: Record<PathStatus['kind'], string> = {
  ethernet: 'Ethernet',
  wifi: 'Wi-Fi',
  cellular: 'Mobile network',
  usb: 'USB tether',
  virtual: 'Virtual link',
  unknown: 'Link',
};

function Popup(): ComponentChild {
  const { multipath, whenGone } = choice.value;
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
          onClick: () => void choose({ multipath: !multipath }),
        },
        h('span', { class: 'knob' }),
      ),
    ]),
    h(
      'p',
      { class: 'status', role: 'status' },
      statusLine(choice.value, host.value, overview.value, rival.value),
    ),
    ...(overview.value?.paths ?? []).map(path => h(PathCard, { key: path.name, path })),
    h('label', { class: 'when-gone' }, [
      h('input', {
        type: 'checkbox',
        checked: whenGone === 'closed',
        onChange: () => void choose({ whenGone: whenGone === 'closed' ? 'open' : 'closed' }),
      }),
      ' Block browsing while the gateway is not running',
    ]),
  ]);
}

function PathCard({ path }: { path: PathStatus }): ComponentChild {
  const rate = rates.value.get(path.name);
  const { todayBytes, monthBytes, monthlyCapBytes } = path.usage;
  const cap = monthlyCapBytes === null ? '' : ` of ${formatBytes(monthlyCapBytes)}`;
  return h(
    'section',
    {
      'data-path': path.name,
      'data-down-bytes-per-second': rate && Math.round(rate.down),
      'data-up-bytes-per-second': rate && Math.round(rate.up),
    },
    [
      h('h2', null, [`${kinds[path.kind]} `, h('small', null, path.name)]),
      h('p', { class: `health ${path.health}` }, `${path.tier}, ${path.healthReason ?? path.health}`),
      h('p', null, rate === undefined ? '…' : `↓ ${bits(rate.down)}  ↑ ${bits(rate.up)}`),
      h('p', null, [
        path.rttMs === null ? '' : `${Math.round(path.rttMs)} ms round trip · `,
        `${formatBytes(todayBytes)} today, ${formatBytes(monthBytes)}${cap} this month`,
      ]),
    ],
  );
}

function bits(bytesPerSecond: number): string {
  return formatRate(bytesPerSecond * 8);
}

async function choose(change: Partial<Choice>): Promise<void> {
  choice.value = { ...choice.value, ...change };
  await storeChoice(change);
}

function connect(): void {
  port = new HostPort(state => {
    host.value = state;
    if (state.kind === 'no-host') setTimeout(connect, refreshMs);
    if (state.kind !== 'notice') return;
    const { hello } = state.notice;
    if (hello === null) overview.value = undefined;
    else void applyChoice(hello).then(refresh);
  });
}

async function refresh(): Promise<void> {
  rival.value = await proxyRival();
  if (host.value.kind !== 'notice' || host.value.notice.gateway === 'away') return;
  try {
    const answer = (await port?.ask('overview')) as Overview;
    rates.value = meter.take(answer.paths, performance.now());
    overview.value = answer;
  } catch {
    overview.value = undefined;
  }
}

render(h(Popup, null), document.body);
void readChoice().then(stored => {
  choice.value = stored;
});
connect();
setInterval(() => void refresh(), refreshMs);
