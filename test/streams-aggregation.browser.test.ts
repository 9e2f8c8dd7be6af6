import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';
import { openStreamsStage, type StreamsStage, services } from './support/streams-stage.ts';

declare const manypath: typeof import('@manypath/page');

const reason = whyNoLab() ?? whyNoBrowser();
/** Of each of two links. */
const rateMbit = 40;

describe.skipIf(reason)(`a stream of a web page${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let stage: StreamsStage;

  beforeAll(async () => {
    stage = await openStreamsStage({ rateMbit });
  });

  afterAll(async () => {
    await stage?.close();
  });

  it('comes in faster than one link could carry it', { timeout: 60_000 }, async () => {
    const bytes = 40_000_000;
    const seconds = await stage.page.evaluate(
      async ({ host, port, bytes }) => {
        const { readable, writable } = await new manypath.TCPSocket(host, port).opened;
        await writable.getWriter().write(new TextEncoder().encode(`${bytes}\n`));
        const began = performance.now();
        let got = 0;
        for await (const chunk of readable as unknown as AsyncIterable<Uint8Array>) got += chunk.length;
        return got === bytes ? (performance.now() - began) / 1000 : Number.NaN;
      },
      { host: stage.host, port: services.source, bytes },
    );
    expect((bytes * 8) / 1e6 / seconds).toBeGreaterThan(rateMbit * 1.2);
  });
});
