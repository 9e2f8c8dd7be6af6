import { localPlaceOf, needsLocal, type StreamWish } from '@manypath/core';
import { signal } from '@preact/signals';
import { type ComponentChild, h, render } from 'preact';
import type { ConsentAnswer, ConsentChoice, ConsentQuestion } from '../streams/consent-window.ts';

/** For so long nothing can be pressed, in milliseconds: who is typing or clicking elsewhere has not read this. */
const readMs = 500;

const question = signal<ConsentQuestion | 'over' | undefined>(undefined);
const isReadable = signal(false);

const port = chrome.runtime.connect({ name: `consent:${location.hash.slice(1)}` });
let reading: ReturnType<typeof setTimeout> | undefined;
port.onMessage.addListener((message: ConsentQuestion) => {
  question.value = message;
  isReadable.value = false;
  // What is added while somebody reads wants to be read as well.
  clearTimeout(reading);
  reading = setTimeout(() => {
    isReadable.value = true;
  }, readMs);
});
port.onDisconnect.addListener(() => {
  question.value = 'over';
});

function Page(): ComponentChild {
  const asked = question.value;
  if (asked === undefined) return h('main', { 'aria-busy': true });
  if (asked === 'over')
    return h('main', null, h('p', null, 'The page does not wait for an answer any more.'));
  const { origin, wishes } = asked;
  const local = wishes.filter(needsLocal);
  return h('main', null, [
    h('h1', null, ['Allow ', h('span', null, origin), ' to open connections?']),
    h('p', null, 'The page itself, not the browser, would send and receive on them what it likes:'),
    h(
      'ul',
      null,
      wishes.map(wish => h('li', null, wishWords(wish))),
    ),
    local.length === 0 ? null : h('p', { class: 'warning', role: 'note' }, localWords(local)),
    h('div', { class: 'choices' }, [
      choice('no', 'Do not allow'),
      choice('never', 'Never ask for this site'),
      choice('once', 'Allow once'),
      choice('always', 'Always allow'),
    ]),
  ]);
}

function wishWords({ host, port: number }: StreamWish): ComponentChild[] {
  const domain = /^\*\.(.+)$/.exec(host)?.[1];
  return [h('strong', null, domain === undefined ? host : `every host below ${domain}`), `, port ${number}`];
}

function localWords(wishes: readonly StreamWish[]): string {
  const places = new Set(wishes.map(({ host }) => localPlaceOf(host) ?? 'a private network'));
  return `This leads to ${[...places].join(' and ')}, where things may trust whoever can reach them. Allow it only to a page that you trust as well.`;
}

function choice(answer: ConsentChoice, words: string): ComponentChild {
  const onClick = () => {
    const seen = typeof question.value === 'object' ? question.value.wishes.length : 0;
    port.postMessage({ answer, seen } satisfies ConsentAnswer);
    close();
  };
  return h('button', { type: 'button', id: answer, disabled: !isReadable.value, onClick }, words);
}

/** The window is closed by the next turn of the loop, when the answer is on its way. */
function close(): void {
  setTimeout(() => window.close(), 50);
}

render(h(Page, null), document.body);
