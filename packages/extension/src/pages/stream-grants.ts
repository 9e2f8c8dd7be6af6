import type { StreamGrant } from '@manypath/core';
import { signal } from '@preact/signals';
import { type ComponentChild, h } from 'preact';
import { grantsIn, grantsKey, readGrants, revokeGrant } from '../streams/grants.ts';
import {
  denialsKey,
  forgetRefusal,
  readDenials,
  readRefusals,
  refusalsKey,
  revokeDenial,
  type StreamRefusal,
} from '../streams/refusals.ts';

const grants = signal<readonly StreamGrant[]>([]);
const denials = signal<readonly string[]>([]);
const refusals = signal<readonly StreamRefusal[]>([]);

/** Which pages may open connections, with what takes that back. @param config Of the gateway. */
export function StreamGrants({ config }: { config: Readonly<Record<string, unknown>> }): ComponentChild {
  const listed = grantsIn(config);
  return h('section', { id: 'streams' }, [
    h('h2', null, 'Pages that may open connections'),
    grants.value.length + listed.length + denials.value.length + refusals.value.length === 0
      ? h('p', null, 'None. A page that wants to open connections of its own asks you first.')
      : null,
    h('ul', null, [
      ...grants.value.map(grant => h('li', { key: keyOf(grant) }, [words(grant), ' ', revoke(grant)])),
      ...listed.map(grant =>
        h('li', { key: `listed ${keyOf(grant)}` }, [words(grant), ' (in the configuration)']),
      ),
      ...denials.value.map(origin =>
        refused(origin, 'is never asked about', 'Revoke', `Ask about ${origin} again`, revokeDenial),
      ),
      ...refusals.value.map(({ origin }) =>
        refused(
          origin,
          'was refused, until the browser is started again',
          'Forget',
          `Forget that ${origin} was refused`,
          forgetRefusal,
        ),
      ),
    ]),
  ]);
}

function words({ origin, host, port, local }: StreamGrant): ComponentChild {
  const where = local ? ', on this computer or in a private network' : '';
  return h('span', null, [h('strong', null, origin), ` to ${host}, port ${port}${where}`]);
}

function revoke(grant: StreamGrant): ComponentChild {
  return h(
    'button',
    {
      type: 'button',
      'aria-label': `Revoke what ${grant.origin} may at ${grant.host}`,
      onClick: () => void revokeGrant(grant),
    },
    'Revoke',
  );
}

function refused(
  origin: string,
  how: string,
  button: string,
  label: string,
  takeBack: (origin: string) => Promise<void>,
): ComponentChild {
  return h('li', { key: `${how} ${origin}` }, [
    h('span', null, [h('strong', null, origin), ` ${how}`]),
    ' ',
    h('button', { type: 'button', 'aria-label': label, onClick: () => void takeBack(origin) }, button),
  ]);
}

function keyOf({ origin, host, port, local }: StreamGrant): string {
  return `${origin} ${host} ${port} ${local ?? false}`;
}

async function load(): Promise<void> {
  grants.value = await readGrants();
  denials.value = await readDenials();
  refusals.value = await readRefusals();
}

chrome.storage.onChanged.addListener(changes => {
  if ([grantsKey, denialsKey, refusalsKey].some(key => changes[key] !== undefined)) void load();
});
void load();
