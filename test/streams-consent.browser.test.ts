import { extensionId, type StreamWish } from '@manypath/core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { picture } from './support/browse.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';
import { openStreamsStage, otherSitePort, type StreamsStage, services } from './support/streams-stage.ts';

declare const manypath: typeof import('@manypath/page');

const reason = whyNoLab() ?? whyNoBrowser();

describe.skipIf(reason)(`a page that wants streams${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let stage: StreamsStage;

  beforeAll(async () => {
    stage = await openStreamsStage({
      config: (origin, host) => ({
        allow: [
          { origin, host: 'public.test', port: services.upper },
          { origin, host, port: services.sink, local: true },
        ],
        programs: {
          shout: { command: ['tr', 'a-z', 'A-Z'], origins: [origin] },
          status: { command: ['sh', '-c', 'cat; exit 3'], origins: [origin] },
          secret: { command: ['cat'], origins: ['https://other.example'] },
        },
      }),
    });
  });

  afterAll(async () => {
    await stage?.close();
  });

  /** Tries to open a stream, and says how that ended. */
  const attempt = (
    page: Page,
    host: string,
    port: number,
    options: { consentTimeout?: number } = {},
  ): Promise<string> =>
    page.evaluate(
      async ({ host, port, options }) => {
        try {
          const socket = new manypath.TCPSocket(host, port, options);
          await socket.opened;
          await socket.close();
          return 'opened';
        } catch (error) {
          return (error as DOMException).name;
        }
      },
      { host, port, options },
    );
  /** For pages of an origin that is allowed nothing: a no is silence. */
  const soon = { consentTimeout: 2000 };

  /** Answers the question that opens, after something made it open. */
  async function answering(
    answer: 'no' | 'never' | 'once' | 'always',
    act: () => Promise<string>,
  ): Promise<string[]> {
    const asked = stage.context.waitForEvent('page');
    const result = act();
    const question = await asked;
    await question.locator(`#${answer}`).waitFor();
    const text = (await question.locator('main').textContent()) ?? '';
    if (answer === 'always') await picture(question, 'consent');
    await question.locator(`#${answer}:enabled`).click();
    return [await result, text];
  }

  /** Does something on the settings page, in the list of what pages may. */
  async function inSettings(button: string): Promise<void> {
    const options = await stage.context.newPage();
    await options.goto(`chrome-extension://${extensionId}/options.html`);
    const place = options.locator('#streams').getByRole('button', { name: button });
    await place.click();
    await place.waitFor({ state: 'detached' });
    await options.close();
  }

  /** How many windows ask while something is done, which waits for their answers: they are closed. */
  async function windowsDuring(act: () => Promise<unknown>): Promise<number> {
    let count = 0;
    const opened = (page: Page) => {
      count += 1;
      void page.close();
    };
    stage.context.on('page', opened);
    await act();
    stage.context.off('page', opened);
    return count;
  }

  it('has the user asked, who sees who asks for what; a no holds for all pages of the origin', async () => {
    const page = await stage.open(`${stage.origin}/`);
    const [result, text] = await answering('no', () => attempt(page, stage.host, services.upper));
    expect(result).toBe('NotAllowedError');
    expect(text).toContain(stage.origin);
    expect(text).toContain(`${stage.host}, port ${services.upper}`);
    expect(text).toContain('a private network');
    expect(await attempt(page, stage.host, services.upper)).toBe('NotAllowedError');
    const again = await stage.open(`${stage.origin}/`);
    const windows = await windowsDuring(async () => {
      const results = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          attempt(index % 2 === 0 ? page : again, stage.host, services.upper),
        ),
      );
      expect(new Set(results)).toEqual(new Set(['NotAllowedError']));
    });
    expect(windows).toBe(0);
    await page.close();
    await again.close();
    await inSettings(`Forget that ${stage.origin} was refused`);
  });

  it('has one window, whatever its frames want at once', async () => {
    const page = await stage.open(`${stage.origin}/`);
    let results: string[] = [];
    const [, text] = await answering('no', async () => {
      results = await Promise.all(
        Array.from({ length: 12 }, (_, index) => attempt(page, stage.host, 7100 + index)),
      );
      return '';
    });
    expect(new Set(results)).toEqual(new Set(['NotAllowedError']));
    expect(text).toContain('port 7100');
    const windows = () => stage.context.pages().filter(one => one.url().includes('consent.html')).length;
    await expect.poll(windows).toBe(0);
    await page.close();
    await inSettings(`Forget that ${stage.origin} was refused`);
  });

  it('may be told never, which is kept until it is revoked', async () => {
    const page = await stage.open(`http://${stage.host}:${otherSitePort}/`);
    const [result] = await answering('never', () => attempt(page, stage.host, services.upper, soon));
    expect(result).toBe('NotAllowedError');
    const windows = await windowsDuring(async () => {
      expect(await attempt(page, stage.host, services.echo, soon)).toBe('NotAllowedError');
    });
    expect(windows).toBe(0);
    await inSettings(`Ask about http://${stage.host}:${otherSitePort} again`);
    const [allowed] = await answering('once', () => attempt(page, stage.host, services.echo));
    expect(allowed).toBe('opened');
    await page.close();
  });

  it('may, once allowed, until it is closed; and does not have to ask again', async () => {
    const page = await stage.open(`${stage.origin}/`);
    const [result] = await answering('once', () => attempt(page, stage.host, services.upper));
    expect(result).toBe('opened');
    expect(await attempt(page, stage.host, services.upper)).toBe('opened');
    await page.close();
    const again = await stage.open(`${stage.origin}/`);
    const [second] = await answering('no', () => attempt(again, stage.host, services.upper));
    expect(second).toBe('NotAllowedError');
    await again.close();
  });

  it('may always, until the user takes that back: what is open ends', async () => {
    const [result] = await answering('always', () => attempt(stage.page, stage.host, services.echo));
    expect(result).toBe('opened');
    const fresh = await stage.open(`${stage.origin}/`);
    const ended = fresh.evaluate(
      async ({ host, port }) => {
        const socket = new manypath.TCPSocket(host, port);
        const { readable } = await socket.opened;
        document.title = 'open';
        return readable
          .getReader()
          .read()
          .catch((error: DOMException) => error.name);
      },
      { host: stage.host, port: services.echo },
    );
    await fresh.waitForFunction(() => document.title === 'open');
    const options = await stage.context.newPage();
    await options.goto(`chrome-extension://${extensionId}/options.html`);
    await options
      .locator('#streams li', { hasText: `port ${services.echo}` })
      .getByRole('button', { name: 'Revoke' })
      .click();
    expect(await ended).toBe('NotAllowedError');
    await options.close();
    const [again] = await answering('no', () => attempt(fresh, stage.host, services.echo));
    expect(again).toBe('NotAllowedError');
    await fresh.close();
  });

  it('may do what the configuration allows without a question', async () => {
    expect(await attempt(stage.page, stage.host, services.sink)).toBe('opened');
  });

  it('of another origin asks for itself, also within a page that is allowed', async () => {
    const other = `http://${stage.host}:${otherSitePort}`;
    const [result, text] = await answering('no', async () => {
      await stage.page.evaluate(source => {
        const frame = document.createElement('iframe');
        frame.id = 'other';
        frame.src = source;
        document.body.append(frame);
      }, `${other}/`);
      const frame = await stage.page.waitForSelector('#other');
      const inner = await frame.contentFrame();
      if (inner === null) throw new Error('there is no frame');
      await inner.waitForURL(`${other}/`);
      const content = "import * as manypath from '/manypath-page.js'; window.manypath = manypath;";
      await inner.addScriptTag({ type: 'module', content });
      await inner.waitForFunction(() => 'manypath' in window);
      // What the page around it may without a question.
      return inner.evaluate(
        async ({ host, port }) =>
          new manypath.TCPSocket(host, port, { consentTimeout: 2000 }).opened.then(
            () => 'opened',
            (error: DOMException) => error.name,
          ),
        { host: stage.host, port: services.sink },
      );
    });
    expect(result).toBe('NotAllowedError');
    expect(text).toContain(other);
    await stage.page.evaluate(() => document.getElementById('other')?.remove());
  });

  it('cannot be spoken for: what another window says to the frame of the extension is not heard', async () => {
    await attempt(stage.page, stage.host, services.sink);
    const forged = await stage.page.evaluate(async () => {
      // A frame of another origin inside the page reaches the extension's frame next to it.
      const thief = document.createElement('iframe');
      thief.sandbox.add('allow-scripts');
      thief.srcdoc = `<script>
        const [data, life] = [new MessageChannel(), new MessageChannel()];
        let answer = 'silence';
        life.port1.onmessage = ({ data }) => { answer = data.kind; };
        for (let index = 0; index < parent.frames.length; index++)
          parent.frames[index].postMessage({ manypath: 'pass' }, '*', [data.port2, life.port2].slice(0, index === 0 ? 2 : 0));
        setTimeout(() => parent.postMessage(answer, '*'), 500);
      </script>`;
      const answer = new Promise(resolve => {
        addEventListener('message', ({ data }) => resolve(data), { once: true });
      });
      document.body.append(thief);
      return answer;
    });
    expect(forged).toBe('silence');
  });

  it('may ask for several hosts in advance, patterns too, none of which is asked for again', async () => {
    const page = await stage.open(`${stage.origin}/`);
    const request = (wishes: StreamWish[]) =>
      page.evaluate(
        list =>
          manypath.requestAccess(list).then(
            () => 'granted',
            (error: DOMException) => error.name,
          ),
        wishes,
      );
    const wishes = [
      { host: stage.host, port: services.source },
      { host: '*.chat.example', port: 6697 },
    ];
    const [result, text] = await answering('once', () => request(wishes));
    expect(result).toBe('granted');
    expect(text).toContain(`${stage.host}, port ${services.source}`);
    expect(text).toContain('every host below chat.example, port 6697');
    const windows = await windowsDuring(async () => {
      expect(await request(wishes)).toBe('granted');
      expect(await attempt(page, stage.host, services.source)).toBe('opened');
      // Nobody can be allowed every host there is.
      expect(await request([{ host: '*', port: 1 }])).toBe('NotAllowedError');
    });
    expect(windows).toBe(0);
    const [refused] = await answering('no', () => request([{ host: 'other.example', port: 1 }]));
    expect(refused).toBe('NotAllowedError');
    await page.close();
  });

  it('runs programs that are listed for it, and learns how they ended', async () => {
    const seen = await stage.page.evaluate(async () => {
      const run = async (name: string) => {
        const program = manypath.connectNative(name);
        const { readable, writable } = await program.opened;
        await new Blob(['hello']).stream().pipeTo(writable);
        const text = await new Response(readable).text();
        return { text, exit: await program.closed };
      };
      const failing = (name: string) =>
        manypath.connectNative(name).opened.then(
          () => 'ran',
          (error: DOMException) => `${error.name}: ${error.message}`,
        );
      return {
        shout: await run('shout'),
        status: await run('status'),
        secret: await failing('secret'),
        missing: await failing('missing'),
      };
    });
    expect(seen.shout).toEqual({ text: 'HELLO', exit: { exitCode: 0, signal: null } });
    expect(seen.status).toEqual({ text: 'hello', exit: { exitCode: 3, signal: null } });
    expect(seen.secret).toMatch(/^NotAllowedError: /);
    // What is not there and what is not for this page look the same.
    expect(seen.missing).toBe(seen.secret);
  });
});
