import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pathsLimits } from '../src/limits.ts';
import { answerLines } from '../src/rights/answer-lines.ts';

const line = '{"verb":"hello"}\n';
const flood = line.repeat(100_000);
/** What one read of a socket brings at most, in bytes; another one may be under way when it is paused. */
const oneRead = 65_536;

let folder: string;
let server: Server;
let client: Socket;
let served: Socket;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-answers-'));
  const path = join(folder, 'a.sock');
  server = createServer().listen(path);
  await once(server, 'listening');
  client = connect(path).on('error', () => {});
  [served] = (await once(server, 'connection')) as [Socket];
  served.on('error', () => {});
});
afterEach(() => {
  for (const end of [client, served]) end.destroy();
  server.close();
  rmSync(folder, { recursive: true });
});

/** Lets everything that can arrive do so. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise(resolve => setTimeout(resolve, 1));
}

describe('answering a client of the helper', () => {
  it('answers in the order in which it is asked, however the lines are cut', async () => {
    answerLines(served, async message => ({ to: (message as { n: number }).n }));
    let text = '';
    client.setEncoding('utf8').on('data', part => {
      text += part;
    });
    for (const part of ['{"n":1}\n{"n', '":2}\n', '{"n":3', '}\n']) client.write(part);
    await vi.waitFor(() => expect(text).toBe('{"to":1}\n{"to":2}\n{"to":3}\n'));
  });

  it('reads nothing more while something waits for its answer', async () => {
    let release: (answer: object) => void = () => {};
    answerLines(
      served,
      () =>
        new Promise(resolve => {
          release = resolve;
        }),
    );
    client.write(flood);
    await vi.waitFor(() => expect(served.bytesRead).toBeGreaterThan(0));
    await turns();
    expect(served.bytesRead).toBeLessThanOrEqual(2 * oneRead);
    release({});
  });

  it('asks for no more answers than a client reads', async () => {
    let asked = 0;
    answerLines(served, async () => {
      asked += 1;
      return { text: 'x'.repeat(1000) };
    });
    client.pause().write(flood);
    await vi.waitFor(() => expect(asked).toBeGreaterThan(0));
    await turns();
    expect(served.bytesRead).toBeLessThan(10 * oneRead);
    client.resume();
    await vi.waitFor(() => expect(asked).toBe(100_000), { timeout: 8_000 });
  });

  it('does nothing of what a client asked that has gone since', async () => {
    let asked = 0;
    let release: (answer: object) => void = () => {};
    answerLines(served, () => {
      asked += 1;
      return new Promise(resolve => {
        release = resolve;
      });
    });
    client.write(line.repeat(100));
    await vi.waitFor(() => expect(asked).toBe(1));
    served.destroy();
    await once(served, 'close');
    release({});
    await turns();
    expect(asked).toBe(1);
  });

  it('says why, and ends, when a line is none or too long', async () => {
    answerLines(served, async () => ({}));
    let text = '';
    client.setEncoding('utf8').on('data', part => {
      text += part;
    });
    client.write('x'.repeat(pathsLimits.helperLineBytes + 1));
    await once(client, 'end');
    expect(JSON.parse(text)).toMatchObject({ id: null, ok: false });
  });
});
