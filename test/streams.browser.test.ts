import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';
import { closedPort, openStreamsStage, type StreamsStage, services } from './support/streams-stage.ts';

declare const manypath: typeof import('@manypath/page');
/** What a page keeps from one evaluation to the next. */
declare const kept: { reader: ReadableStreamDefaultReader<Uint8Array> };

const reason = whyNoLab() ?? whyNoBrowser();

describe.skipIf(reason)(`streams of a web page${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let stage: StreamsStage;

  beforeAll(async () => {
    stage = await openStreamsStage();
  });

  afterAll(async () => {
    await stage?.close();
  });

  it('are full-duplex: each answer comes while the stream is open', async () => {
    const answers = await stage.page.evaluate(
      async ({ host, port }) => {
        const socket = new manypath.TCPSocket(host, port);
        const { readable, writable, remoteAddress, remotePort } = await socket.opened;
        const [reader, writer] = [readable.getReader(), writable.getWriter()];
        const read = async () => new TextDecoder().decode((await reader.read()).value);
        const write = (text: string) => writer.write(new TextEncoder().encode(text));
        await write('b');
        const first = await read();
        await write('c');
        const second = await read();
        const { route, multipath, bytesIn, bytesOut } = await socket.info();
        await writer.close();
        const { done } = await reader.read();
        await socket.closed;
        return { first, second, done, remoteAddress, remotePort, route, multipath, bytesIn, bytesOut };
      },
      { host: stage.host, port: services.upper },
    );
    expect(answers).toEqual({
      first: 'B',
      second: 'C',
      done: true,
      remoteAddress: stage.host,
      remotePort: services.upper,
      route: 'relay',
      multipath: true,
      bytesIn: 2,
      bytesOut: 2,
    });
  });

  it('end each direction by itself: all that was sent has arrived when the answer to its end comes', async () => {
    const answer = await stage.page.evaluate(
      async ({ host, port }) => {
        const { readable, writable } = await new manypath.TCPSocket(host, port).opened;
        await new Blob(['abc', 'def']).stream().pipeTo(writable);
        return new Response(readable).text();
      },
      { host: stage.host, port: services.sink },
    );
    expect(answer).toBe('6 bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721\n');
  });

  it('say what became of them: refused, cancelled, aborted, closed', async () => {
    const seen = await stage.page.evaluate(
      async ({ host, port, refused }) => {
        const nameOf = (error: unknown) => (error as DOMException).name;
        const open = () => new manypath.TCPSocket(host, port);
        const unreachable = await new manypath.TCPSocket(host, refused).opened.catch(nameOf);

        const aborting = new AbortController();
        const aborted = new manypath.TCPSocket(host, port, { signal: aborting.signal });
        const { readable } = await aborted.opened;
        aborting.abort();
        const read = await readable.getReader().read().catch(nameOf);
        const abortedClosed = await aborted.closed.catch(nameOf);

        const halved = open();
        const ends = await halved.opened;
        await ends.readable.cancel();
        const writer = ends.writable.getWriter();
        await writer.write(new Uint8Array(10));
        await writer.close();
        await halved.closed;

        const closing = open();
        const early = await closing.close().catch(nameOf);
        await closing.opened;
        await closing.close();
        await closing.closed;
        const bad = [
          () => new manypath.TCPSocket('a b', 1),
          () => new manypath.TCPSocket('a.example', 0),
        ].map(make => {
          try {
            make();
            return 'made';
          } catch (error) {
            return nameOf(error);
          }
        });
        return { unreachable, read, abortedClosed, early, bad };
      },
      { host: stage.host, port: services.echo, refused: closedPort },
    );
    expect(seen).toEqual({
      unreachable: 'NetworkError',
      read: 'AbortError',
      abortedClosed: 'AbortError',
      early: 'InvalidStateError',
      bad: ['TypeError', 'TypeError'],
    });
  });

  /** Sends and receives at once, and compares every byte. */
  const transfer = (streams: number, bytes: number): Promise<string[]> =>
    stage.page.evaluate(
      async ({ host, port, streams, bytes }) => {
        const wrong: string[] = [];
        const one = async (seed: number) => {
          const { readable, writable } = await new manypath.TCPSocket(host, port).opened;
          const pattern = new Uint8Array(65_536 + 256).map((_, at) => (at + seed) & 0xff);
          const send = async () => {
            const writer = writable.getWriter();
            for (let at = 0; at < bytes; at += 65_536) {
              await writer.write(pattern.subarray(0, Math.min(65_536, bytes - at)));
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
        await Promise.all(Array.from({ length: streams }, (_, seed) => one(seed)));
        return wrong.slice(0, 10);
      },
      { host: stage.host, port: services.echo, streams, bytes },
    );

  it('are a thousand at once if need be, and every byte comes back', { timeout: 240_000 }, async () => {
    expect(await transfer(1000, 65_536)).toEqual([]);
  });

  it('carry much on one, both ways at once', { timeout: 240_000 }, async () => {
    expect(await transfer(1, 64_000_000)).toEqual([]);
  });

  it('go on when one of two links dies', { timeout: 60_000 }, async () => {
    const arrived = stage.page.evaluate(
      async ({ host, port }) => {
        const { readable, writable } = await new manypath.TCPSocket(host, port).opened;
        await writable.getWriter().write(new TextEncoder().encode('120000000\n'));
        let bytes = 0;
        for await (const chunk of readable as unknown as AsyncIterable<Uint8Array>) {
          bytes += chunk.length;
          Object.assign(window, { arrived: bytes });
        }
        return bytes;
      },
      { host: stage.host, port: services.source },
    );
    const soFar = await stage.page.waitForFunction('window.arrived > 20_000_000 && window.arrived');
    await stage.lab.cut('a', 'blackhole');
    try {
      expect(await soFar.jsonValue()).toBeLessThan(100_000_000);
      expect(await arrived).toBe(120_000_000);
    } finally {
      await stage.lab.heal('a');
    }
  });

  it('stop their sender while nobody reads, and lose nothing by that', { timeout: 90_000 }, async () => {
    const got = await stage.page.evaluate(
      async ({ host, port }) => {
        const { readable, writable } = await new manypath.TCPSocket(host, port).opened;
        await writable.getWriter().write(new TextEncoder().encode('100000000\n'));
        const reader = readable.getReader();
        Object.assign(window, { kept: { reader } });
        let bytes = 0;
        while (bytes < 20_000_000) bytes += (await reader.read()).value?.length ?? Number.NaN;
        return bytes;
      },
      { host: stage.host, port: services.source },
    );
    // What the kernel has for the network and has given it, of the one connection that waits.
    const readAhead = async () => {
      const { stdout } = await stage.lab.exec('origin', ['ss', '-tinH', `sport = :${services.source}`]);
      return [...stdout.matchAll(/^\S+\s+\d+\s+(\d+).*\n.*bytes_sent:(\d+)/gm)]
        .filter(([, queued]) => Number(queued) > 0)
        .map(([, queued, sent]) => Number(queued) + Number(sent) - got);
    };
    // It has stopped once nothing more went out for two seconds.
    let ahead = await readAhead();
    for (let before: number[] = []; String(ahead) !== String(before) || ahead.length === 0; ) {
      before = ahead;
      await sleep(2000);
      ahead = await readAhead();
    }
    expect(ahead).toHaveLength(1);
    expect(ahead[0]).toBeGreaterThan(0);
    expect(ahead[0]).toBeLessThan(8 * 1_048_576);
    console.log('ahead', ahead);
    const rest = await stage.page.evaluate(async () => {
      let bytes = 0;
      for (;;) {
        const { done, value } = await kept.reader.read();
        if (done) return bytes;
        bytes += value.length;
      }
    });
    expect(got + rest).toBe(100_000_000);
  });

  it('come to workers by their page', async () => {
    const answer = await stage.page.evaluate(
      async ({ host, port }) => {
        const code = `import { TCPSocket } from '${location.origin}/manypath-page.js';
          onmessage = async ({ data: [host, port] }) => {
            const { readable, writable } = await new TCPSocket(host, port).opened;
            await new Blob(['from a worker']).stream().pipeTo(writable);
            postMessage(await new Response(readable).text());
          };`;
        const url = URL.createObjectURL(new Blob([code], { type: 'text/javascript' }));
        const worker = new Worker(url, { type: 'module' });
        manypath.shareStreams(worker);
        worker.postMessage([host, port]);
        return new Promise(resolve => {
          worker.onmessage = ({ data }) => resolve(data);
        });
      },
      { host: stage.host, port: services.upper },
    );
    expect(answer).toBe('FROM A WORKER');
  });
});
