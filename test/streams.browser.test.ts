import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowse, relayOf } from './support/browse.ts';
import { startManypath } from './support/manypath.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';

declare const manypath: typeof import('@manypath/page');

const reason = whyNoLab() ?? whyNoBrowser();

describe.skipIf(reason)(`streams of a web page${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let folder: string;
  let lab: Lab;
  let context: BrowserContext;
  let page: Page;
  let host: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-streams-'));
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit: 200 },
        { name: 'b', rateMbit: 200 },
      ],
    });
    host = lab.addresses.origin;
    const serve = (service: string, port: number, site: string[]) =>
      startManypath(
        ['serve-echo', '--json', '--service', service, '--listen', `0.0.0.0:${port}`, ...site],
        command => lab.spawn('origin', command),
      );
    await serve('upper', 7007, ['--page', '0.0.0.0:7080']);
    await serve('echo', 7008, ['--no-page']);
    const pairing = await relayOf(lab, folder);
    mkdirSync(join(folder, 'config', 'manypath'), { recursive: true });
    const origin = `http://${host}:7080`;
    writeFileSync(
      join(folder, 'config', 'manypath', 'config.json'),
      JSON.stringify({
        streams: {
          allow: [7007, 7008].map(port => ({ origin, host, port, local: true })),
          programs: { cat: { command: ['cat'], origins: [origin] } },
        },
      }),
    );
    context = await openBrowse(lab, folder, ['--relay', pairing]);
    page = await context.newPage();
    await page.goto(`${origin}/`);
    await page.addScriptTag({
      type: 'module',
      content: "import * as manypath from '/manypath-page.js'; window.manypath = manypath;",
    });
    await page.waitForFunction(() => 'manypath' in window);
  });

  afterAll(async () => {
    await context?.close();
    await lab?.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are full-duplex: each answer comes while the stream is open', async () => {
    const answers = await page.evaluate(async target => {
      const { readable, writable, ...about } = await new manypath.TCPSocket(target, 7007).opened;
      const [reader, writer] = [readable.getReader(), writable.getWriter()];
      const read = async () => new TextDecoder().decode((await reader.read()).value);
      const write = (text: string) => writer.write(new TextEncoder().encode(text));
      await write('b');
      const first = await read();
      await write('c');
      const second = await read();
      await writer.close();
      const { done } = await reader.read();
      return { first, second, done, about };
    }, host);
    expect(answers).toMatchObject({ first: 'B', second: 'C', done: true });
  });

  /** Sends and receives at once, and compares every byte. */
  const transfer = (port: number, streams: number, bytes: number): Promise<object> =>
    page.evaluate(
      async ({ target, port, streams, bytes }) => {
        const wrong: string[] = [];
        const one = async (seed: number) => {
          const { readable, writable } = await new manypath.TCPSocket(target, port).opened;
          const writer = writable.getWriter();
          const pattern = new Uint8Array(65_536 + 256).map((_, at) => (at + seed) & 0xff);
          const send = async () => {
            for (let at = 0; at < bytes; at += 65_536) {
              const from = at & 0xff;
              await writer.write(pattern.subarray(from, from + Math.min(65_536, bytes - at)));
            }
            await writer.close();
          };
          let got = 0;
          const receive = async () => {
            for await (const chunk of readable as unknown as AsyncIterable<Uint8Array>) {
              for (let at = 0; at < chunk.length; at++) {
                if (chunk[at] !== ((got + at + seed) & 0xff)) wrong.push(`byte ${got + at} of ${seed}`);
              }
              got += chunk.length;
            }
          };
          await Promise.all([send(), receive()]);
          if (got !== bytes) wrong.push(`${got} bytes of ${seed}`);
        };
        const began = performance.now();
        await Promise.all(Array.from({ length: streams }, (_, seed) => one(seed)));
        return { wrong: wrong.slice(0, 5), seconds: (performance.now() - began) / 1000 };
      },
      { target: host, port, streams, bytes },
    );

  it('a thousand at once, 1 MiB each way on each', { timeout: 240_000 }, async () => {
    const result = await transfer(7008, 1000, 1_048_576);
    console.log(result);
    expect(result).toMatchObject({ wrong: [] });
  });

  it('256 MB up and down on one', { timeout: 240_000 }, async () => {
    const result = await transfer(7008, 1, 256_000_000);
    console.log(result);
    expect(result).toMatchObject({ wrong: [] });
  });
});
