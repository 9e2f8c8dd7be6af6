import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeJsonLine, JsonLineDecoder, SimulatedClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pathsLimits } from '../src/limits.ts';
import { HelperClient } from '../src/rights/helper-client.ts';

interface Request {
  readonly id: number;
  readonly verb: string;
  readonly paths?: unknown;
}

/** The other side of the helper's socket: says yes to everything but what it is told to refuse or not to answer. */
class OtherSide {
  readonly asked: Request[] = [];
  readonly refuses = new Set<string>();
  readonly ignores = new Set<string>();
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(path: string) {
    this.#server = createServer(socket => this.#serve(socket)).listen(path);
  }

  static async start(path: string): Promise<OtherSide> {
    const side = new OtherSide(path);
    await once(side.#server, 'listening');
    return side;
  }

  /** As when it is killed. */
  async end(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  get clients(): number {
    return this.#sockets.size;
  }

  verbs(): string[] {
    return this.asked.map(({ verb }) => verb);
  }

  answer(request: Request | undefined): void {
    const ok = !this.refuses.has(request?.verb ?? '');
    for (const socket of this.#sockets) {
      socket.write(encodeJsonLine({ id: request?.id, ok, ...(ok ? {} : { message: 'no' }) }));
    }
  }

  #serve(socket: Socket): void {
    const decoder = new JsonLineDecoder();
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('data', bytes => {
      for (const message of decoder.push(bytes)) {
        const request = message as Request;
        this.asked.push(request);
        if (!this.ignores.has(request.verb)) this.answer(request);
      }
    });
  }
}

let folder: string;
let path: string;
let clock: SimulatedClock;
let said: string[];
let sides: OtherSide[];
let clients: HelperClient[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-client-'));
  path = join(folder, 'helper.sock');
  clock = new SimulatedClock();
  said = [];
  sides = [];
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client.close();
  for (const side of sides) await side.end();
  rmSync(folder, { recursive: true });
});

async function start(): Promise<OtherSide> {
  const side = await OtherSide.start(path);
  sides.push(side);
  return side;
}

async function connect(): Promise<HelperClient> {
  const note = (_: object, message: string) => void said.push(message);
  const client = await HelperClient.connect(path, { clock, logger: { info: note, warn: note } });
  clients.push(client);
  return client;
}

/** Ends the other side as a kill does. */
async function kill(side: OtherSide, client: HelperClient): Promise<void> {
  sides.splice(sides.indexOf(side), 1);
  await side.end();
  await vi.waitFor(() => expect(client.isThere).toBe(false));
}

/** Lets the clock go on until the client is there again. */
async function back(client: HelperClient): Promise<void> {
  await vi.waitFor(
    () => {
      clock.advance(pathsLimits.helperRetryMostMs);
      expect(client.isThere).toBe(true);
    },
    { timeout: 10_000 },
  );
}

const wlan = { name: 'wlan0', endpoint: 'active' } as const;
const gone = { code: 'MANYPATH_HELPER_GONE' };

describe('a client of the helper', () => {
  it('says hello, asks, and hears what is refused', async () => {
    const side = await start();
    side.refuses.add('set-backup');
    const client = await connect();
    await client.ask({ verb: 'open-window' });
    await expect(client.ask({ verb: 'set-backup' })).rejects.toMatchObject({
      code: 'MANYPATH_HELPER_REFUSED',
    });
    expect(side.verbs()).toEqual(['hello', 'open-window', 'set-backup']);
  });

  it('is not to be had where there is no helper, or where it refuses this user', async () => {
    await expect(connect()).rejects.toMatchObject(gone);
    const side = await start();
    side.refuses.add('hello');
    await expect(connect()).rejects.toMatchObject({ code: 'MANYPATH_HELPER_REFUSED' });
    await vi.waitFor(() => expect(side.clients).toBe(0));
  });

  it('finds the helper again after it was killed, and has it keep the same paths', async () => {
    const first = await start();
    const client = await connect();
    await client.keep([wlan]);
    await kill(first, client);
    const second = await start();
    await back(client);
    expect(second.asked.map(({ verb, paths }) => [verb, paths])).toEqual([
      ['hello', undefined],
      ['keep', [wlan]],
    ]);
    await client.ask({ verb: 'open-window' });
    expect(said).toEqual([
      'the helper has gone: paths stay as they are set up until it is back',
      'the helper is back',
    ]);
  });

  it('is found when it comes later, and has what is wanted kept', async () => {
    const note = (_: object, message: string) => void said.push(message);
    const client = await HelperClient.open(path, { clock, logger: { info: note, warn: note } });
    clients.push(client);
    expect(client.isThere).toBe(false);
    await client.keep([wlan]);
    const side = await start();
    await back(client);
    expect(side.verbs()).toEqual(['hello', 'keep']);
    expect(said).toEqual(['the helper has come: it sets up the paths']);
  });

  it('is told apart from one that does not serve this user, and may serve him later', async () => {
    const side = await start();
    side.refuses.add('hello');
    const note = (_: object, message: string) => void said.push(message);
    const client = await HelperClient.open(path, { clock, logger: { info: note, warn: note } });
    clients.push(client);
    expect(said).toEqual(['the privileged helper does not serve this user']);
    side.refuses.clear();
    await back(client);
  });

  it('rejects what is asked meanwhile, and remembers what is to be kept', async () => {
    const first = await start();
    const client = await connect();
    await kill(first, client);
    await expect(client.ask({ verb: 'open-window' })).rejects.toMatchObject(gone);
    await client.keep([wlan]);
    const second = await start();
    await back(client);
    expect(second.asked.at(-1)).toMatchObject({ verb: 'keep', paths: [wlan] });
  });

  it('says once that the helper is away, however long that lasts', async () => {
    const first = await start();
    const client = await connect();
    await kill(first, client);
    for (let attempt = 0; attempt < 20; attempt += 1) {
      clock.advance(pathsLimits.helperRetryMostMs);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(said).toHaveLength(1);
    await start();
    await back(client);
    expect(said).toHaveLength(2);
  });

  it('goes on looking while a helper that is back refuses or does not answer', async () => {
    const first = await start();
    const client = await connect();
    await client.keep([wlan]);
    await kill(first, client);
    const second = await start();
    second.refuses.add('hello');
    await vi.waitFor(() => {
      clock.advance(pathsLimits.helperRetryMostMs);
      expect(second.asked.length).toBeGreaterThan(1);
    });
    expect(client.isThere).toBe(false);
    second.refuses.clear();
    await back(client);
  });

  it('uses a helper that is back and cannot keep the paths just now, by one connection', async () => {
    const first = await start();
    const client = await connect();
    await client.keep([wlan]);
    await kill(first, client);
    const second = await start();
    second.refuses.add('keep');
    await back(client);
    await client.ask({ verb: 'open-window' });
    expect(second.clients).toBe(1);
    await expect(client.keep([wlan])).rejects.toMatchObject({ code: 'MANYPATH_HELPER_REFUSED' });
  });

  it('has the paths kept that are wanted when the helper is back, not those of when it was found', async () => {
    const first = await start();
    const client = await connect();
    await client.keep([wlan]);
    await kill(first, client);
    const second = await start();
    second.ignores.add('keep');
    await vi.waitFor(() => {
      clock.advance(pathsLimits.helperRetryMs);
      expect(second.verbs()).toContain('keep');
    });
    const lan = { name: 'eth0', endpoint: 'active' } as const;
    await client.keep([lan]);
    second.ignores.clear();
    second.answer(second.asked.at(-1));
    await vi.waitFor(() => expect(client.isThere).toBe(true));
    expect(second.asked.at(-1)).toMatchObject({ verb: 'keep', paths: [lan] });
  });

  it('leaves nothing open when it is closed while it comes back to the helper', async () => {
    const first = await start();
    const client = await connect();
    await client.keep([wlan]);
    await kill(first, client);
    const second = await start();
    second.ignores.add('keep');
    await vi.waitFor(() => {
      clock.advance(pathsLimits.helperRetryMs);
      expect(second.verbs()).toContain('keep');
    });
    await client.close();
    second.answer(second.asked.at(-1));
    await vi.waitFor(() => expect(second.clients).toBe(0));
  });

  it('ends a conversation in which nothing is answered, and rejects what waits', async () => {
    const side = await start();
    const client = await connect();
    side.ignores.add('open-window');
    const waiting = client.ask({ verb: 'open-window' });
    await vi.waitFor(() => expect(side.verbs()).toContain('open-window'));
    clock.advance(pathsLimits.helperAnswerMs);
    await expect(waiting).rejects.toMatchObject(gone);
  });

  it('lets go of its paths when it is closed, and does not come back', async () => {
    const side = await start();
    const client = await connect();
    await client.keep([wlan]);
    await client.close();
    expect(side.asked.at(-1)).toMatchObject({ verb: 'keep', paths: [] });
    await vi.waitFor(() => expect(side.clients).toBe(0));
    expect(clock.pending).toBe(0);
    expect(said).toEqual([]);
  });

  it('can be closed while the helper is away', async () => {
    const side = await start();
    const client = await connect();
    await client.keep([wlan]);
    await kill(side, client);
    await client.close();
    const next = await start();
    clock.advance(10 * pathsLimits.helperRetryMostMs);
    await new Promise(resolve => setImmediate(resolve));
    expect(next.clients).toBe(0);
  });
});
