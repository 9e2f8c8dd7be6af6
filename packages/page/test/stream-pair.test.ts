import { type StreamEvent, type StreamKind, StreamMultiplexer } from '@manypath/core';
import { afterEach, describe, expect, it } from 'vitest';
import { PortConnection } from '../src/port-connection.ts';
import { StreamPair } from '../src/stream-pair.ts';

const ports: MessagePort[] = [];

afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** A connection of a page, and what is at its other end. */
class Stage {
  readonly far = new StreamMultiplexer('accepts');
  readonly events: StreamEvent[] = [];
  readonly asked: unknown[] = [];
  readonly connection: PortConnection;
  readonly ended: PortConnection[] = [];
  readonly #port: MessagePort;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    this.#port = port2;
    this.connection = new PortConnection(port1, connection => void this.ended.push(connection));
    port2.onmessage = ({ data }) => {
      if (!Array.isArray(data)) return void this.asked.push(data);
      let taken = 0;
      for (const frame of data) {
        taken += frame.byteLength;
        this.events.push(...this.far.receive(new Uint8Array(frame)));
      }
      port2.postMessage(taken);
    };
  }

  say(message: unknown): void {
    this.#port.postMessage(message);
  }

  /** Sends what the other end has to send. */
  flush(): void {
    const frames: ArrayBuffer[] = [];
    for (let next = this.far.next(); next; next = this.far.next()) frames.push(next.buffer);
    if (frames.length > 0) this.say(frames);
  }

  async saw(event: StreamEvent['event'], stream = 1): Promise<StreamEvent> {
    for (;;) {
      const found = this.events.find(one => one.event === event && one.stream === stream);
      if (found) return found;
      await new Promise(resolve => setTimeout(resolve, 1));
    }
  }

  /** A stream that is open. */
  async open(kind: StreamKind = 'tcp'): Promise<StreamPair> {
    const pair = new StreamPair(this.connection, kind, kind === 'tcp' ? 'a.example:1' : 'quiz', false);
    const { stream } = await this.saw('open');
    this.far.accept(stream, '127.0.0.1:5', '192.0.2.1:1');
    this.flush();
    await pair.opened;
    return pair;
  }
}

const text = (value: string) => new TextEncoder().encode(value);
const rejection = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fulfilled',
    (error: DOMException) => error.name,
  );

describe('a stream of a page', () => {
  it('carries bytes both ways, and closes when both directions are over', async () => {
    const stage = new Stage();
    const pair = await stage.open();
    const writer = pair.writable.getWriter();
    await writer.write(text('to'));
    expect(await stage.saw('data')).toMatchObject({ bytes: text('to') });
    stage.far.write(1, text('fro'));
    stage.far.finish(1);
    stage.flush();
    expect(await new Response(pair.readable).text()).toBe('fro');
    await writer.close();
    await stage.saw('finish');
    expect(await pair.closed).toBe('');
    expect(stage.connection.size).toBe(0);
  });

  it('holds a writer back when the other side gives no credit', async () => {
    const stage = new Stage();
    const pair = await stage.open();
    const writer = pair.writable.getWriter();
    let written = 0;
    const all = (async () => {
      for (let index = 0; index < 64; index++) {
        await writer.write(new Uint8Array(65_536));
        written += 65_536;
      }
    })();
    await stage.saw('data');
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(written).toBeLessThan(1_000_000);
    const feed = setInterval(() => {
      stage.far.consumed(1, 131_072);
      stage.flush();
    }, 1);
    await all;
    clearInterval(feed);
    expect(written).toBe(64 * 65_536);
  });

  it('fails in every way there is to use it when the far end breaks it off', async () => {
    const stage = new Stage();
    const pair = await stage.open();
    const reading = rejection(pair.readable.getReader().read());
    const info = rejection(pair.info());
    stage.far.reset(1, 'broken', 'by peer');
    stage.flush();
    expect(await reading).toBe('NetworkError');
    expect(await info).toBe('NetworkError');
    expect(await rejection(pair.closed)).toBe('NetworkError');
    expect(await rejection(pair.writable.getWriter().write(text('x')))).toBe('NetworkError');
    expect(await rejection(pair.info())).toBe('NetworkError');
    expect(stage.connection.size).toBe(0);
  });

  it.each([
    ['denied', 'NotAllowedError'],
    ['local', 'NotAllowedError'],
    ['tooMany', 'QuotaExceededError'],
    ['unreachable', 'NetworkError'],
    ['internal', 'NetworkError'],
  ] as const)('that is refused as %s rejects with a %s', async (reason, name) => {
    const stage = new Stage();
    const pair = new StreamPair(stage.connection, 'tcp', 'a.example:1', false);
    await stage.saw('open');
    stage.far.reset(1, reason, 'no');
    stage.flush();
    expect(await rejection(pair.opened)).toBe(name);
    expect(await rejection(pair.closed)).toBe(name);
  });

  it('is told to the other end when it is broken off here', async () => {
    const stage = new Stage();
    const pair = await stage.open();
    pair.abort(new DOMException('enough', 'AbortError'));
    expect(await stage.saw('reset')).toMatchObject({ reason: 'cancelled' });
    expect(await rejection(pair.closed)).toBe('AbortError');
  });
});

describe('a program of a page', () => {
  it('that has ended says so though nothing was read or closed; what it wrote can be read, writing fails', async () => {
    const stage = new Stage();
    const pair = await stage.open('program');
    stage.far.write(1, text('last words'));
    stage.far.exit(1, 'signal SIGSEGV');
    stage.far.finish(1);
    stage.flush();
    expect(await pair.closed).toBe('signal SIGSEGV');
    expect(await rejection(pair.writable.getWriter().write(text('x')))).toBe('NetworkError');
    expect(await new Response(pair.readable).text()).toBe('last words');
    expect(stage.connection.size).toBe(0);
  });

  it('that was closed here tells how it ended when it has', async () => {
    const stage = new Stage();
    const pair = await stage.open('program');
    await pair.end();
    await stage.saw('finish');
    await stage.saw('stop');
    expect(stage.connection.size).toBe(1);
    stage.far.exit(1, 'exit 3');
    stage.flush();
    expect(await pair.closed).toBe('exit 3');
    expect(stage.connection.size).toBe(0);
  });

  it('that waits for a writer lets it go when it ends', async () => {
    const stage = new Stage();
    const pair = await stage.open('program');
    const writer = pair.writable.getWriter();
    const stuck = rejection(
      (async () => {
        for (;;) await writer.write(new Uint8Array(65_536));
      })(),
    );
    await stage.saw('data');
    stage.far.exit(1, 'exit 0');
    stage.flush();
    expect(await stuck).toBe('NetworkError');
  });
});

describe('the connection of a page', () => {
  it('asks for consent, and tells the answer', async () => {
    const stage = new Stage();
    const wishes = [{ host: 'a.example', port: 1 }];
    const [yes, no] = [stage.connection.ask(wishes), rejection(stage.connection.ask(wishes))];
    while (stage.asked.length < 2) await new Promise(resolve => setTimeout(resolve, 1));
    expect(stage.asked).toMatchObject([{ kind: 'access', id: 1, wishes }, { id: 2 }]);
    stage.say({ kind: 'access', id: 2, granted: false, reason: 'no' });
    stage.say({ kind: 'access', id: 1, granted: true, reason: '' });
    await yes;
    expect(await no).toBe('NotAllowedError');
  });

  it('takes all its streams and questions with it when it ends', async () => {
    const stage = new Stage();
    const pair = await stage.open();
    const asked = rejection(stage.connection.ask([{ host: 'a.example', port: 1 }]));
    stage.say({ kind: 'away', reason: 'the gateway went away' });
    expect(await asked).toBe('NetworkError');
    expect(await rejection(pair.closed)).toBe('NetworkError');
    expect(stage.ended).toEqual([stage.connection]);
    expect(() => new StreamPair(stage.connection, 'tcp', 'a.example:1', false)).toThrow(/over/);
    expect(await rejection(stage.connection.ask([]))).toBe('NetworkError');
  });

  it('ends when what comes makes no sense', async () => {
    const stage = new Stage();
    const pair = await stage.open();
    stage.say([Uint8Array.of(99, 0, 0, 0, 1).buffer]);
    expect(await rejection(pair.closed)).toBe('NetworkError');
  });

  it('has a number of streams that it cannot exceed, and targets of a length', async () => {
    const stage = new Stage();
    const open = () => new StreamPair(stage.connection, 'tcp', 'a.example:1', false);
    for (let index = 0; index < 2048; index++) open();
    expect(open).toThrow(expect.objectContaining({ name: 'QuotaExceededError' }));
    expect(() => new StreamPair(stage.connection, 'tcp', 'a'.repeat(1025), false)).toThrow(TypeError);
  });
});
