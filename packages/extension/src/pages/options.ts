import {
  type DoctorFinding,
  errorMessage,
  type Overview,
  type PathStatus,
  type SettingsDocument,
} from '@manypath/core';
import { signal } from '@preact/signals';
import { type ComponentChild, h, render } from 'preact';
import { type Choice, defaultChoice, isBypass, mostBypassed, readChoice, storeChoice } from '../choice.ts';
import { type PathSettings, pathChange, pathSettings } from '../path-settings.ts';
import { kindWords, usageWords } from '../path-words.ts';
import { relayWords } from '../relay-words.ts';
import { GatewaySession } from '../session.ts';
import { readSettings, writeSettings } from '../settings-file.ts';
import {
  type SiteRule,
  type SiteWish,
  siteRules,
  wishWords,
  withoutSiteRule,
  withSiteRule,
} from '../site-rules.ts';
import { statusLine } from '../status-line.ts';
import { statusSeverity } from '../status-severity.ts';
import { StreamGrants } from './stream-grants.ts';

/** How long a relay may take to answer a new pairing, and how often it is asked for, in milliseconds. */
const answerMs = 4000;
const askAgainMs = 150;
/** How long the gateway may take to use another pairing, in milliseconds. */
const changeMs = 1500;

const choice = signal<Choice>(defaultChoice);
const settings = signal<SettingsDocument | undefined>(undefined);
const paths = signal<readonly PathStatus[]>([]);
const overview = signal<Overview | undefined>(undefined);
const findings = signal<readonly DoctorFinding[] | 'looking' | undefined>(undefined);
/** Where on the page something is changed. */
type Place = 'general' | 'relay' | 'paths' | 'sites' | 'doctor' | 'transfer';
/** How the last change went, for the user, beside what they changed. */
const outcome = signal<
  { readonly place: Place; readonly text: string; readonly kind: 'done' | 'waiting' | 'error' } | undefined
>(undefined);
/** What was typed and not taken, by the field. */
const drafts = signal<ReadonlyMap<string, string>>(new Map());
/** A pairing that a link brought; it counts only when the user says so. */
const offered = signal(pairingInAddress());
const session = new GatewaySession(() => void load());

function Options(): ComponentChild {
  const standing = [choice.value, session.state.value, overview.value, undefined] as const;
  return h('main', null, [
    h('header', null, [h('h1', null, 'Manypath settings'), h('a', { href: 'dashboard.html' }, 'Dashboard')]),
    h('p', { class: `status ${statusSeverity(...standing)}` }, statusLine(...standing)),
    h(General, null),
    settings.value === undefined ? null : [h(Relay, null), h(Paths, null)],
    h(Sites, null),
    h(StreamGrants, { config: settings.value?.config ?? {} }),
    h(Isolation, null),
    settings.value === undefined ? null : h(Doctor, null),
    h(Transfer, null),
  ]);
}

/** How a change in a place went, if one was made there last. */
function Outcome({ place }: { place: Place }): ComponentChild {
  const last = outcome.value;
  if (last?.place !== place || last.text === '') return null;
  return h('p', { id: `${place}-outcome`, role: 'status', class: `outcome ${last.kind}` }, last.text);
}

/** Says of a field that what is in it was not taken, and why. */
function fault(place: Place): { 'aria-invalid'?: 'true'; 'aria-describedby'?: string } {
  const isWrong = outcome.value?.place === place && outcome.value.kind === 'error';
  return isWrong ? { 'aria-invalid': 'true', 'aria-describedby': `${place}-outcome` } : {};
}

function General(): ComponentChild {
  const { whenGone, retry } = choice.value;
  return h('section', { id: 'general' }, [
    h('h2', null, 'This browser'),
    check('Block browsing while the gateway is not running', whenGone === 'closed', isOn =>
      storeChoice({ whenGone: isOn ? 'closed' : 'open' }),
    ),
    check('Resume downloads and reload pages that a change of the network broke off', retry, isOn =>
      storeChoice({ retry: isOn }),
    ),
  ]);
}

function check(label: string, checked: boolean, set: (isOn: boolean) => Promise<void>): ComponentChild {
  const onChange = (event: Event) => void set((event.target as HTMLInputElement).checked);
  return h('label', { class: 'line' }, [h('input', { type: 'checkbox', checked, onChange }), ` ${label}`]);
}

function Relay(): ComponentChild {
  const relay = settings.value?.relay ?? null;
  const known = overview.value?.relay ?? null;
  const fixed = relay?.from === 'command line' || relay?.from === 'environment';
  const pair = (event: Event): void => {
    event.preventDefault();
    void pairWith(offered.value.trim(), event.target as HTMLFormElement);
  };
  return h('section', { id: 'relay' }, [
    h('h2', null, 'Relay'),
    h(
      'p',
      null,
      relay === null
        ? 'No relay: only servers that speak Multipath TCP are reached over several paths.'
        : `${relay.address}${fixed ? `, as the ${relay.from} says` : ''}`,
    ),
    known === null || relay === null
      ? null
      : h(
          'p',
          { class: known.state === 'away' || known.state === 'refused' ? 'bad' : undefined },
          relayWords(known),
        ),
    fixed
      ? null
      : h('form', { onSubmit: pair }, [
          h('label', null, [
            'Pairing address, as "manypath relay" prints it ',
            h('input', {
              name: 'pairing',
              type: 'password',
              autocomplete: 'off',
              required: true,
              placeholder: 'manypath://…',
              value: offered.value,
              onInput: (event: Event) => {
                offered.value = (event.target as HTMLInputElement).value;
              },
              ...fault('relay'),
            }),
          ]),
          h('button', { type: 'submit' }, 'Pair'),
          relay === null
            ? null
            : h(
                'button',
                {
                  type: 'button',
                  onClick: () => void configure('relay', { relay: null }, 'The relay is not used any more.'),
                },
                'Forget this relay',
              ),
        ]),
    h(Outcome, { place: 'relay' }),
  ]);
}

function Paths(): ComponentChild {
  return h('section', { id: 'paths', class: 'wide', tabIndex: 0, 'aria-label': 'Paths and limits' }, [
    h('table', null, [
      h('caption', null, 'Paths and limits'),
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          ['Path', 'Use', 'Daily cap', 'Monthly cap', 'Month begins on', 'At the cap', 'Carried'].map(title =>
            h('th', { scope: 'col' }, title),
          ),
        ),
      ),
      h(
        'tbody',
        null,
        paths.value.map(path => h(PathRow, { key: path.name, path })),
      ),
    ]),
    h(Outcome, { place: 'paths' }),
  ]);
}

function PathRow({ path }: { path: PathStatus }): ComponentChild {
  const now = pathSettings(settings.value?.config ?? {}, path);
  const set = async (change: Partial<PathSettings>): Promise<boolean> =>
    configure(
      'paths',
      { paths: pathChange(settings.value?.config ?? {}, path, change) },
      `${path.name} is changed.`,
    );
  const named = (what: string) => `${what} of ${path.name}`;
  const text = (key: 'dailyCap' | 'monthlyCap', what: string) => {
    const field = `${path.name} ${key}`;
    const draft = drafts.value.get(field);
    return h('input', {
      'aria-label': named(what),
      value: draft ?? now[key],
      placeholder: 'none',
      size: 8,
      ...(draft === undefined ? {} : fault('paths')),
      onChange: async (event: Event) => {
        const typed = (event.target as HTMLInputElement).value.trim();
        keepDraft(field, typed);
        if (await set({ [key]: typed })) keepDraft(field, undefined);
      },
    });
  };
  return h('tr', { 'data-path': path.name }, [
    h('th', { scope: 'row' }, [`${kindWords(path)} `, h('small', null, path.name)]),
    h(
      'td',
      null,
      select(named('Use'), now.tier, ['primary', 'secondary', 'backup', 'never'], tier => void set({ tier })),
    ),
    h('td', null, text('dailyCap', 'Daily cap')),
    h('td', null, text('monthlyCap', 'Monthly cap')),
    h(
      'td',
      null,
      h('input', {
        'aria-label': named('Month begins on'),
        type: 'number',
        min: 1,
        max: 31,
        value: now.resetDay,
        onChange: (event: Event) => void set({ resetDay: Number((event.target as HTMLInputElement).value) }),
      }),
    ),
    h(
      'td',
      null,
      select(named('At the cap'), now.atCap, ['backup', 'never'], atCap => void set({ atCap })),
    ),
    h('td', null, usageWords(path)),
  ]);
}

function select<Value extends string>(
  label: string,
  value: Value,
  values: readonly Value[],
  set: (value: Value) => void,
): ComponentChild {
  return h(
    'select',
    {
      'aria-label': label,
      value,
      onChange: (event: Event) => set((event.target as HTMLSelectElement).value as Value),
    },
    values.map(one => h('option', { value: one, selected: one === value }, one)),
  );
}

const newWish = signal<SiteWish>('bypass');

function Sites(): ComponentChild {
  const isReady = settings.value !== undefined;
  const rules = siteRules(settings.value?.config ?? {}, choice.value.bypass);
  const wishes = (Object.keys(wishWords) as SiteWish[]).filter(wish => isReady || wish === 'bypass');
  const add = (event: Event): void => {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const given = new FormData(form);
    const host = String(given.get('host')).trim().toLowerCase();
    const path = String(given.get('path') ?? '');
    const rule = { host, wish: newWish.value, ...(newWish.value === 'single' ? { path } : {}) };
    void addSite(rule).then(isAdded => {
      if (isAdded) form.reset();
      else form.querySelector('input')?.focus();
    });
  };
  return h('section', { id: 'sites' }, [
    h('h2', null, 'Sites'),
    h(
      'p',
      null,
      'WebTransport and WebRTC use UDP, which no proxy carries: a site that needs them works when it does not go through Manypath.',
    ),
    h(
      'ul',
      null,
      rules.map(rule =>
        h('li', { key: `${rule.wish} ${rule.host}` }, [
          h('strong', null, rule.host),
          ` ${wishWords[rule.wish]}${rule.path === undefined ? '' : `: ${rule.path}`} `,
          h(
            'button',
            {
              type: 'button',
              'aria-label': `Remove the rule for ${rule.host}`,
              onClick: () => void removeSite(rule),
            },
            'Remove',
          ),
        ]),
      ),
    ),
    h('form', { onSubmit: add }, [
      h('label', null, [
        'Host ',
        h('input', {
          name: 'host',
          required: true,
          placeholder: 'example.org or *.example.org',
          ...fault('sites'),
        }),
      ]),
      h('label', null, [
        'What ',
        h(
          'select',
          {
            name: 'wish',
            value: newWish.value,
            onChange: (event: Event) => {
              newWish.value = (event.target as HTMLSelectElement).value as SiteWish;
            },
          },
          wishes.map(wish => h('option', { value: wish }, wishWords[wish])),
        ),
      ]),
      newWish.value === 'single'
        ? h('label', null, [
            'Path ',
            h(
              'select',
              { name: 'path' },
              paths.value.map(({ name }) => h('option', { value: name }, name)),
            ),
          ])
        : null,
      h('button', { type: 'submit' }, 'Add'),
    ]),
    h(Outcome, { place: 'sites' }),
  ]);
}

/** @returns Whether it was added. */
async function addSite(rule: SiteRule): Promise<boolean> {
  const done = `${rule.host} is added.`;
  if (rule.wish !== 'bypass')
    return configure('sites', { rules: withSiteRule(settings.value?.config ?? {}, rule) }, done);
  const { bypass } = choice.value;
  const wrong = !isBypass(rule.host)
    ? `${rule.host} is no host name.`
    : bypass.length >= mostBypassed
      ? `There are ${mostBypassed} such hosts already.`
      : undefined;
  if (wrong !== undefined) tell('sites', wrong, 'error');
  else {
    await storeChoice({ bypass: [...bypass.filter(host => host !== rule.host), rule.host] });
    tell('sites', done);
  }
  return wrong === undefined;
}

async function removeSite({ host, wish }: SiteRule): Promise<void> {
  if (wish === 'bypass') await storeChoice({ bypass: choice.value.bypass.filter(one => one !== host) });
  else {
    const rules = withoutSiteRule(settings.value?.config ?? {}, host);
    await configure('sites', { rules }, `${host} is removed.`);
  }
}

function Isolation(): ComponentChild {
  const isolation = settings.value?.isolation ?? null;
  const words =
    isolation === null
      ? 'You started this browser yourself: a change of an address or link breaks off what it is loading, and Manypath tries it once more. "manypath browse" opens one that does not notice.'
      : isolation.isolated
        ? 'This browser is in a network of its own and does not notice when links or addresses change.'
        : `This browser is not isolated (${isolation.reason ?? 'unknown'}): a change of an address or link breaks off what it is loading.`;
  return h('section', { id: 'isolation' }, [h('h2', null, 'Isolation'), h('p', null, words)]);
}

function Doctor(): ComponentChild {
  const found = findings.value;
  return h('section', { id: 'doctor' }, [
    h('h2', null, 'Doctor'),
    h(
      'button',
      { type: 'button', disabled: found === 'looking', onClick: () => void examine() },
      found === 'looking' ? 'Looking …' : 'Find what stops multipath here',
    ),
    Array.isArray(found)
      ? h(
          'ul',
          { class: 'findings' },
          (found as readonly DoctorFinding[]).map(({ id, ok, cause, fix }) =>
            h('li', { key: id, class: ok ? 'good' : 'bad' }, [
              `${ok ? '✓' : '✗'} ${cause}`,
              fix === null ? null : h('div', null, ['Fix: ', h('code', null, fix)]),
            ]),
          ),
        )
      : null,
    h(Outcome, { place: 'doctor' }),
  ]);
}

function Transfer(): ComponentChild {
  return h('section', { id: 'transfer' }, [
    h('h2', null, 'Export and import'),
    h('p', null, 'The pairing with the relay is a secret and stays out of the file.'),
    h('button', { type: 'button', onClick: exportSettings }, 'Export'),
    h('label', { class: 'line' }, [
      'Import ',
      h('input', {
        type: 'file',
        accept: 'application/json,.json',
        onChange: (event: Event) => void importSettings(event),
      }),
    ]),
    h(Outcome, { place: 'transfer' }),
  ]);
}

function exportSettings(): void {
  const text = writeSettings(choice.value, settings.value?.config ?? {});
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = Object.assign(document.createElement('a'), { href: url, download: 'manypath-settings.json' });
  link.click();
  URL.revokeObjectURL(url);
}

async function importSettings(event: Event): Promise<void> {
  const input = event.target as HTMLInputElement;
  const [file] = input.files ?? [];
  if (file === undefined) return;
  try {
    const { choice: imported, config } = readSettings(await file.text());
    if (settings.value !== undefined && Object.keys(config).length > 0) {
      settings.value = await session.ask<SettingsDocument>('configure', config);
    }
    await storeChoice(imported);
    tell('transfer', 'Imported.');
  } catch (error) {
    tell('transfer', errorMessage(error), 'error');
  }
  input.value = '';
}

async function examine(): Promise<void> {
  findings.value = 'looking';
  try {
    findings.value = await session.ask<readonly DoctorFinding[]>('doctor');
  } catch (error) {
    findings.value = undefined;
    tell('doctor', errorMessage(error), 'error');
  }
}

/** Has the gateway change its configuration, and says beside it how that went. @returns Whether it did. */
async function configure(
  place: Place,
  change: Readonly<Record<string, unknown>>,
  done: string,
): Promise<boolean> {
  try {
    settings.value = await session.ask<SettingsDocument>('configure', change);
    tell(place, done);
    // The gateway reads its file a moment later.
    setTimeout(() => void load(), 500);
    return true;
  } catch (error) {
    tell(place, errorMessage(error), 'error');
    return false;
  }
}

/** Pairs, and says so when it is known what the relay says to that. What was typed stays until then. */
async function pairWith(pairing: string, form: HTMLFormElement): Promise<void> {
  tell('relay', 'Asking the relay …', 'waiting');
  const before = overview.value?.relay ?? null;
  try {
    settings.value = await session.ask<SettingsDocument>('configure', { relay: pairing });
  } catch (error) {
    return tell('relay', errorMessage(error), 'error');
  }
  const answer = await relayAnswer(settings.value.relay?.address, before);
  if (answer?.state === 'refused') {
    tell('relay', `Not paired: ${relayWords(answer)}. Copy the pairing address once more.`, 'error');
    form.querySelector('input')?.focus();
    return;
  }
  // One that is not reached may still be right: how it stands is told above.
  tell('relay', 'Paired.', answer?.state === 'ready' ? 'done' : 'waiting');
  offered.value = '';
}

/**
 * What the relay says, as soon as that is known, or how it stands when it takes too long.
 *
 * @param before How it stood with the pairing before, which may be with the same relay: the gateway takes a moment to change.
 */
async function relayAnswer(
  address: string | undefined,
  before: Overview['relay'],
): Promise<Overview['relay']> {
  for (let left = answerMs; ; left -= askAgainMs) {
    await load();
    const relay = overview.value?.relay ?? null;
    const isOld = relay?.address === before?.address && relay?.state === before?.state;
    const isNew = !isOld || left < answerMs - changeMs;
    const isKnown = relay?.address === address && relay?.state !== 'connecting' && isNew;
    if (isKnown || left <= 0) return relay;
    await new Promise(resolve => setTimeout(resolve, askAgainMs));
  }
}

function keepDraft(field: string, text: string | undefined): void {
  const others = [...drafts.value].filter(([key]) => key !== field);
  drafts.value = new Map(text === undefined ? others : [...others, [field, text]]);
}

function tell(place: Place, text: string, kind: 'done' | 'waiting' | 'error' = 'done'): void {
  outcome.value = { place, text, kind };
}

async function load(): Promise<void> {
  try {
    const answer = await session.ask<Overview>('overview');
    settings.value = await session.ask<SettingsDocument>('settings');
    paths.value = answer.paths;
    overview.value = answer;
  } catch {
    overview.value = undefined;
    settings.value = undefined;
  }
}

/** `options.html#pair=manypath://…`: what follows # is sent to nobody. It is taken out of the address, for it is a secret. */
function pairingInAddress(): string {
  const found = new URLSearchParams(location.hash.slice(1)).get('pair') ?? '';
  history.replaceState(null, '', location.pathname);
  return /^manypath:.{1,500}$/.test(found) ? found : '';
}

render(h(Options, null), document.body);
void readChoice().then(stored => {
  choice.value = stored;
});
chrome.storage.onChanged.addListener(async () => {
  choice.value = await readChoice();
});
