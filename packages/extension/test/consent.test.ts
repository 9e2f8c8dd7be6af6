import type { StreamWish } from '@manypath/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Consent } from '../src/streams/consent.ts';
import type { ConsentChoice, ConsentQuestion } from '../src/streams/consent-window.ts';
import { readGrants } from '../src/streams/grants.ts';
import { forgetRefusal, readDenials, readRefusals, revokeDenial } from '../src/streams/refusals.ts';
import { ChromePort, standInChrome } from './support/chrome.ts';

const origin = 'https://app.example';
const wish = (host: string, port = 1): StreamWish => ({ host, port });

let chromeApi: ReturnType<typeof standInChrome>;
let consent: Consent;

beforeEach(() => {
  chromeApi = standInChrome();
  consent = new Consent(async () => ({}));
});

const turns = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

/** What the window says that was opened last. */
async function window(): Promise<{ port: ChromePort; question: () => ConsentQuestion }> {
  await turns();
  const id = chromeApi.windows.at(-1)?.split('#')[1] ?? '';
  const port = new ChromePort(`consent:${id}`);
  consent.serve(port as unknown as chrome.runtime.Port);
  return { port, question: () => port.received.at(-1) as ConsentQuestion };
}

async function answer(choice: ConsentChoice, seen?: number): Promise<void> {
  const { port, question } = await window();
  port.onMessage.fire({ answer: choice, seen: seen ?? question().wishes.length });
  await turns();
}

const asks = (host: string, page = { origin }) =>
  consent.authorize(page, [wish(host)]).then(({ allowed }) => allowed);

describe('a no', () => {
  it('holds for every page of the origin, also when the worker was started anew', async () => {
    const first = asks('a.example');
    await answer('no');
    expect(await first).toBe(false);
    for (let frame = 0; frame < 5; frame++) expect(await asks('a.example', { origin })).toBe(false);
    consent = new Consent(async () => ({}));
    expect(await asks('A.example')).toBe(false);
    expect(chromeApi.windows).toHaveLength(1);
  });

  it('does not hold for other origins, nor for other hosts, until it was said three times', async () => {
    for (const [count, host] of ['a.example', 'b.example', 'c.example'].entries()) {
      const asked = asks(host);
      await answer('no');
      expect(await asked).toBe(false);
      expect(chromeApi.windows).toHaveLength(count + 1);
    }
    expect(await asks('d.example')).toBe(false);
    expect(chromeApi.windows).toHaveLength(3);
    const other = asks('a.example', { origin: 'https://other.example' });
    await answer('once');
    expect(await other).toBe(true);
  });

  it('is one for who closes the window, and can be forgotten', async () => {
    const asked = asks('a.example');
    (await window()).port.onDisconnect.fire();
    expect(await asked).toBe(false);
    expect(await readRefusals()).toMatchObject([{ origin, times: 1 }]);
    await forgetRefusal(origin);
    const again = asks('a.example');
    await answer('once');
    expect(await again).toBe(true);
  });

  it('does not take anything from what was allowed', async () => {
    const asked = asks('a.example');
    await answer('always');
    expect(await asked).toBe(true);
    const other = asks('b.example');
    await answer('never');
    expect(await other).toBe(false);
    expect(await asks('a.example')).toBe(true);
    expect(await asks('c.example')).toBe(false);
    expect(chromeApi.windows).toHaveLength(2);
  });
});

describe('a never', () => {
  it('is kept, and can be revoked', async () => {
    const asked = asks('a.example');
    await answer('never');
    expect(await asked).toBe(false);
    expect(await readDenials()).toEqual([origin]);
    consent = new Consent(async () => ({}));
    expect(await asks('b.example')).toBe(false);
    expect(chromeApi.windows).toHaveLength(1);
    await revokeDenial(origin);
    const again = asks('b.example');
    await answer('once');
    expect(await again).toBe(true);
  });
});

describe('a window', () => {
  it('is one for all that the pages of an origin want meanwhile', async () => {
    const pages = Array.from({ length: 30 }, () => ({ origin }));
    const answers = pages.map((page, index) => asks(`h${index % 10}.example`, page));
    const { port, question } = await window();
    expect(chromeApi.windows).toHaveLength(1);
    expect(question().wishes).toHaveLength(10);
    const late = asks('late.example');
    await turns();
    expect(question().wishes).toHaveLength(11);
    port.onMessage.fire({ answer: 'always', seen: 11 });
    expect(await Promise.all([...answers, late])).toEqual(Array(31).fill(true));
    expect(await readGrants()).toHaveLength(11);
    expect(chromeApi.windows).toHaveLength(1);
  });

  it('allows nothing that came after it was read', async () => {
    const first = asks('a.example');
    const { port, question } = await window();
    const late = asks('late.example');
    await turns();
    port.onMessage.fire({ answer: 'once', seen: 1 });
    expect(question().wishes).toHaveLength(2);
    expect(await first).toBe(true);
    await turns();
    expect(chromeApi.windows).toHaveLength(2);
    await answer('no');
    expect(await late).toBe(false);
  });

  it('comes after another one, not beside it', async () => {
    const first = asks('a.example');
    const second = asks('a.example', { origin: 'https://other.example' });
    await turns();
    expect(chromeApi.windows).toHaveLength(1);
    await answer('once');
    expect(chromeApi.windows).toHaveLength(2);
    await answer('no');
    expect(await Promise.all([first, second])).toEqual([true, false]);
  });

  it('has a length: what does not fit is refused', async () => {
    const answers = Array.from({ length: 60 }, (_, index) => asks(`h${index}.example`));
    await answer('once');
    expect((await Promise.all(answers)).filter(allowed => allowed)).toHaveLength(50);
  });
});

describe('what was allowed once', () => {
  it('is for the page that asked, and for no other', async () => {
    const page = { origin };
    const asked = asks('a.example', page);
    await answer('once');
    expect(await asked).toBe(true);
    expect(await asks('a.example', page)).toBe(true);
    const other = asks('a.example', { origin });
    await answer('no');
    expect(await other).toBe(false);
  });

  it('includes local hosts only where that was asked for', async () => {
    const page = { origin };
    const asked = consent.authorize(page, [{ host: 'nas', port: 1 }]);
    await answer('once');
    expect(await asked).toMatchObject({ allowed: true, local: true });
    const far = consent.authorize(page, [wish('a.example')]);
    await answer('once');
    expect(await far).toMatchObject({ allowed: true, local: false });
  });

  it.each(['', '*', '*.com', 'a b'])('can never be "%s"', async host => {
    expect(await consent.authorize({ origin }, [wish(host)])).toMatchObject({ allowed: false });
    expect(chromeApi.windows).toHaveLength(0);
  });
});
