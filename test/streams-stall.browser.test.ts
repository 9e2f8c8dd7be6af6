import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '@manypath/lab';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowse, relayOf } from './support/browse.ts';
import { startManypath } from './support/manypath.ts';

declare const manypath: typeof import('@manypath/page');
declare const saved: { reader: ReadableStreamDefaultReader<Uint8Array> };

describe.each(['relay', 'straight'])('a reader that stops, %s', route => {
  let folder: string;
  let lab: Lab;
  let context: BrowserContext;
  let page: Page;
  let host: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-streams-'));
    lab = await Lab.create({ links: [{ name: 'a', rateMbit: 200 }, { name: 'b', rateMbit: 200 }] });
    host = lab.addresses.origin;
    await startManypath(
      ['serve-echo', '--json', '--service', 'source', '--listen', '0.0.0.0:7009', '--page', '0.0.0.0:7080'],
      command => lab.spawn('origin', command),
    );
    const pairing = await relayOf(lab, folder);
    mkdirSync(join(folder, 'config', 'manypath'), { recursive: true });
    const origin = `http://${host}:7080`;
    writeFileSync(
      join(folder, 'config', 'manypath', 'config.json'),
      JSON.stringify({ streams: { allow: [{ origin, host, port: 7009, local: true }] } }),
    );
    context = await openBrowse(lab, folder, route === 'relay' ? ['--relay', pairing] : []);
    page = await context.newPage();
    await page.goto(`${origin}/`);
    await page.addScriptTag({ type: 'module', content: "import * as manypath from '/manypath-page.js'; window.manypath = manypath;" });
    await page.waitForFunction(() => 'manypath' in window);
  });
  afterAll(async () => {
    await context?.close();
    await lab?.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  it('stops its sender', { timeout: 60_000 }, async () => {
    const got = await page.evaluate(async target => {
      const { readable, writable } = await new manypath.TCPSocket(target, 7009).opened;
      await writable.getWriter().write(new TextEncoder().encode('200000000\n'));
      const reader = readable.getReader();
      let bytes = 0;
      while (bytes < 30_000_000) bytes += (await reader.read()).value?.length ?? 0;
      Object.assign(window, { saved: { reader } });
      return bytes;
    }, host);
    for (let second = 0; second < 10; second++) {
      await sleep(1000);
      const { stdout } = await lab.exec('origin', ['ss', '-tinH', 'sport = :7009']);
      const sent = Number(/bytes_sent:(\d+)/.exec(stdout)?.[1]);
      const queued = Number(/^\S+\s+\d+\s+(\d+)/.exec(stdout)?.[1]);
      console.log(route, second, ((sent + queued - got) / 1048576).toFixed(2), 'MiB ahead', { sent, queued });
    }
    const total = await page.evaluate(async () => {
      let bytes = 0;
      for (;;) {
        const { done, value } = await saved.reader.read();
        if (done) return bytes;
        bytes += value.length;
      }
    });
    expect(total + got).toBe(200_000_000);
  });
});
