import { beforeEach, describe, expect, it } from 'vitest';
import { Admission } from '../src/streams/admission.ts';
import { Consent } from '../src/streams/consent.ts';
import { addGrants } from '../src/streams/grants.ts';
import { addDenial, addRefusal } from '../src/streams/refusals.ts';
import { Wakefulness } from '../src/streams/wakefulness.ts';
import { ChromePort, standInChrome } from './support/chrome.ts';

const origin = 'https://app.example';
const wishes = [{ host: 'a.example', port: 1 }];

let chromeApi: ReturnType<typeof standInChrome>;
let config: Record<string, unknown>;
let admission: Admission;
let consent: Consent;

beforeEach(() => {
  chromeApi = standInChrome();
  config = {};
  consent = new Consent(async () => config);
  admission = new Admission(consent, new Wakefulness());
});

const turns = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};

/** What the script in a page gets to hear. */
async function ask(asked: unknown, sender: object = { documentId: 'one', origin }): Promise<ChromePort> {
  const port = Object.assign(new ChromePort('door'), { sender });
  admission.serve(port as unknown as chrome.runtime.Port);
  port.onMessage.fire({ wishes: asked });
  await turns();
  return port;
}

async function answer(choice: string): Promise<void> {
  const port = new ChromePort(`consent:${chromeApi.windows.at(-1)?.split('#')[1]}`);
  consent.serve(port as unknown as chrome.runtime.Port);
  port.onMessage.fire({ answer: choice, seen: 1 });
  await turns();
}

describe('a page', () => {
  it('hears nothing while the user is asked, nor when they say no', async () => {
    for (const choice of ['no', 'never']) {
      chromeApi = standInChrome();
      const port = await ask(wishes);
      expect(port.received).toEqual([]);
      await answer(choice);
      expect(port.received).toEqual([]);
    }
  });

  it('hears that it is admitted when the user allows it something, once or for always', async () => {
    for (const choice of ['once', 'always']) {
      chromeApi = standInChrome();
      const port = await ask(wishes, { documentId: choice, origin });
      await answer(choice);
      expect(port.received).toEqual([{ document: choice, version: expect.any(Number) }]);
      expect(admission.pageOf(choice, origin)).toBe(admission.pageOf(choice, origin));
    }
  });

  it('is admitted without a question where its origin is allowed something, by the user or the configuration', async () => {
    await addGrants([{ origin, host: 'b.example', port: 2 }]);
    const file = 'https://file.example';
    const runner = 'https://runner.example';
    config = {
      streams: {
        allow: [{ origin: file, host: 'c.example', port: 3 }],
        programs: { words: { command: ['true'], origins: [runner] } },
      },
    };
    for (const known of [origin, file, runner]) {
      const port = await ask([], { documentId: known, origin: known });
      expect(port.received).toHaveLength(1);
    }
    expect(chromeApi.windows).toEqual([]);
  });

  it('hears nothing, and nobody is asked, where the origin was refused, wants a program, or asks for what nobody can have', async () => {
    const refused = 'https://refused.example';
    const denied = 'https://denied.example';
    await addRefusal(refused, wishes);
    await addDenial(denied);
    const silent = [
      await ask(wishes, { documentId: 'r', origin: refused }),
      await ask(wishes, { documentId: 'd', origin: denied }),
      await ask([]),
      await ask([{ host: '*', port: 1 }]),
      await ask('no list'),
      await ask(wishes, {}),
    ];
    for (const port of silent) expect(port.received).toEqual([]);
    expect(chromeApi.windows).toEqual([]);
  });
});

describe('a document', () => {
  it('is not known under another origin', async () => {
    await addGrants([{ origin, host: 'b.example', port: 2 }]);
    await ask([]);
    const page = admission.pageOf('one', origin);
    expect(admission.pageOf('one', origin)).toBe(page);
    expect(admission.pageOf('one', 'https://other.example')).not.toBe(page);
  });
});
