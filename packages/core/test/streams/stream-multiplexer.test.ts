import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/bytes.ts';
import { encodeStreamFrame, type StreamKind } from '../../src/streams/stream-frames.ts';
import {
  type StreamEvent,
  type StreamLimits,
  StreamMultiplexer,
} from '../../src/streams/stream-multiplexer.ts';

const bytes = (length: number, value = 1): Uint8Array => new Uint8Array(length).fill(value);

/** Two sides and what is on its way between them. */
class Wire {
  readonly client: StreamMultiplexer;
  readonly server: StreamMultiplexer;

  constructor(limits: Partial<StreamLimits> = {}, now = () => 0) {
    this.client = new StreamMultiplexer('opens', limits, now);
    this.server = new StreamMultiplexer('accepts', limits, now);
  }

  /** Carries over all that one side has to say. */
  carry(from: 'client' | 'server', most = Number.POSITIVE_INFINITY): StreamEvent[] {
    const events: StreamEvent[] = [];
    const to = from === 'client' ? this.server : this.client;
    for (let frame = 0; frame < most; frame++) {
      const message = this[from].next();
      if (message === undefined) break;
      events.push(...to.receive(message));
    }
    return events;
  }

  /** Opens a stream and accepts it. */
  open(kind: StreamKind = 'tcp'): number {
    const stream = this.client.open(kind, kind === 'tcp' ? 'a.example:1' : 'quiz') ?? 0;
    this.carry('client');
    this.server.accept(stream, '192.0.2.1:5', '192.0.2.2:1');
    this.carry('server');
    return stream;
  }
}

const dataOf = (events: readonly StreamEvent[], stream: number): Uint8Array =>
  concatBytes(
    events.flatMap(event => (event.event === 'data' && event.stream === stream ? [event.bytes] : [])),
  );

describe('a stream', () => {
  it('is asked for, accepted, written both ways and ended by each side for itself', () => {
    const wire = new Wire();
    const stream = wire.client.open('tcp', 'a.example:443') ?? 0;
    expect(wire.carry('client')).toEqual([
      { event: 'open', stream, kind: 'tcp', target: 'a.example:443', local: false, origin: '' },
    ]);
    wire.server.accept(stream, '192.0.2.1:5', '192.0.2.2:443');
    expect(wire.carry('server')).toEqual([
      { event: 'opened', stream, local: '192.0.2.1:5', remote: '192.0.2.2:443' },
    ]);
    wire.client.write(stream, bytes(1, 0x62));
    wire.client.finish(stream);
    expect(wire.carry('client')).toEqual([
      { event: 'data', stream, bytes: bytes(1, 0x62) },
      { event: 'finish', stream },
    ]);
    expect(wire.server.size).toBe(1);
    wire.server.write(stream, bytes(1, 0x42));
    expect(wire.carry('server')).toEqual([{ event: 'data', stream, bytes: bytes(1, 0x42) }]);
    wire.server.finish(stream);
    expect(wire.carry('server')).toEqual([{ event: 'finish', stream }]);
    expect([wire.client.size, wire.server.size]).toEqual([0, 0]);
  });

  it('carries what was written before it was open, once it is', () => {
    const wire = new Wire();
    const stream = wire.client.open('tcp', 'a.example:1') ?? 0;
    expect(wire.client.write(stream, bytes(10))).toBe(false);
    wire.client.finish(stream);
    expect(wire.carry('client')).toHaveLength(1);
    wire.server.accept(stream);
    wire.carry('server');
    const events = wire.carry('client');
    expect(dataOf(events, stream)).toEqual(bytes(10));
    expect(events.at(-1)).toEqual({ event: 'finish', stream });
  });

  it('stops its sender when its reader stops, and goes on when that reads', () => {
    const wire = new Wire({ windowBytes: 1000, widestWindowBytes: 1000, frameBytes: 300 });
    const stream = wire.open();
    expect(wire.client.write(stream, bytes(2500))).toBe(false);
    expect(dataOf(wire.carry('client'), stream)).toHaveLength(1000);
    expect(wire.carry('client')).toEqual([]);
    wire.server.consumed(stream, 100);
    expect(wire.carry('server')).toEqual([]);
    wire.server.consumed(stream, 500);
    expect(wire.carry('server')).toEqual([]);
    expect(dataOf(wire.carry('client'), stream)).toHaveLength(600);
    wire.server.consumed(stream, 1000);
    expect(wire.carry('server')).toEqual([]);
    expect(dataOf(wire.carry('client'), stream)).toHaveLength(900);
  });

  it('that is broken off drops what is queued and says why; what was on its way does no harm', () => {
    const wire = new Wire();
    const stream = wire.open();
    wire.server.write(stream, bytes(10));
    wire.client.write(stream, bytes(10));
    wire.client.reset(stream, 'cancelled', 'enough');
    expect(wire.carry('client')).toEqual([
      { event: 'reset', stream, reason: 'cancelled', message: 'enough' },
    ]);
    expect(wire.server.size).toBe(0);
    const late = encodeStreamFrame({ type: 'data', stream, bytes: bytes(5) });
    expect(wire.client.receive(late)).toEqual([]);
    wire.client.reset(stream, 'cancelled');
    expect(wire.carry('client')).toEqual([]);
  });

  it('is refused with a reason', () => {
    const wire = new Wire();
    const stream = wire.client.open('program', 'quiz') ?? 0;
    wire.carry('client');
    wire.server.reset(stream, 'denied', 'ask the user');
    expect(wire.carry('server')).toEqual([
      { event: 'reset', stream, reason: 'denied', message: 'ask the user' },
    ]);
    expect(wire.client.size).toBe(0);
  });
});

describe('a side that reads nothing more', () => {
  it('stops its sender, and goes on sending itself', () => {
    const wire = new Wire({ frameBytes: 10 });
    const stream = wire.open();
    wire.server.write(stream, bytes(100));
    expect(dataOf(wire.carry('server', 2), stream)).toHaveLength(20);
    wire.client.stop(stream);
    expect(wire.carry('server', 1)).toEqual([]);
    expect(wire.carry('client')).toEqual([{ event: 'stop', stream }]);
    expect(wire.carry('server')).toEqual([]);
    wire.server.write(stream, bytes(10));
    wire.server.finish(stream);
    expect(wire.carry('server')).toEqual([]);
    wire.client.write(stream, bytes(5));
    wire.client.finish(stream);
    expect(wire.carry('client').map(({ event }) => event)).toEqual(['data', 'finish']);
    expect([wire.client.size, wire.server.size]).toEqual([0, 0]);
  });
});

describe('a reader that keeps up', () => {
  const keepUp = (wire: Wire, stream: number, length: number): number => {
    let most = 0;
    wire.client.write(stream, bytes(length));
    for (let left = length; left > 0; ) {
      const { length: came } = dataOf(wire.carry('client'), stream);
      most = Math.max(most, came);
      left -= came;
      wire.server.consumed(stream, came);
      wire.carry('server');
    }
    return most;
  };

  it('gets a wider window, up to the widest', () => {
    const wire = new Wire({ windowBytes: 1000, widestWindowBytes: 4000 });
    const stream = wire.open();
    expect(keepUp(wire, stream, 20_000)).toBe(4000);
    wire.client.write(stream, bytes(10_000));
    const { length } = dataOf(wire.carry('client'), stream);
    expect([length > 3000, length <= 4000]).toEqual([true, true]);
  });

  it('keeps the window it has where that is no hindrance to it', () => {
    let now = 0;
    const limits = { windowBytes: 1000, widestWindowBytes: 4000, widenMs: 20 };
    const wire = new Wire(limits, () => {
      now += 30;
      return now;
    });
    expect(keepUp(wire, wire.open(), 20_000)).toBe(1000);
  });

  it('shares what all have for that, and gives it back at its end', () => {
    const wire = new Wire({ windowBytes: 1000, widestWindowBytes: 4000, windowBudgetBytes: 3000 });
    const [one, two] = [wire.open(), wire.open()];
    expect(keepUp(wire, one, 20_000)).toBe(4000);
    expect(keepUp(wire, two, 20_000)).toBe(1000);
    wire.client.reset(one, 'cancelled');
    wire.carry('client');
    expect(keepUp(wire, two, 20_000)).toBe(4000);
  });
});

describe('a message in pieces', () => {
  it('is the same message, with the data as it was written', () => {
    const [whole, pieces] = [new Wire(), new Wire()];
    const data = bytes(100, 7);
    for (const wire of [whole, pieces]) wire.client.write(wire.open(), data);
    const message = whole.client.next();
    const { stream, pieces: parts } = pieces.client.nextPieces() ?? { pieces: [] };
    expect(stream).toBe(1);
    expect(concatBytes(parts)).toEqual(message);
    expect(parts.at(-1)?.buffer).toBe(data.buffer);
    expect(pieces.client.nextPieces()).toBeUndefined();
    pieces.client.open('tcp', 'b.example:1');
    expect(pieces.client.nextPieces()?.pieces).toHaveLength(1);
  });
});

describe('what is told of a stream', () => {
  it('is asked for by one side and said by the other', () => {
    const wire = new Wire();
    const stream = wire.open();
    wire.client.info(stream);
    expect(wire.carry('client')).toEqual([{ event: 'info', stream, text: '' }]);
    wire.server.info(stream, '{"route":"relay"}');
    expect(wire.carry('server')).toEqual([{ event: 'info', stream, text: '{"route":"relay"}' }]);
  });
});

describe('a stream to a program', () => {
  it('tells how it ended before what it wrote, which still comes', () => {
    const wire = new Wire({ windowBytes: 10, widestWindowBytes: 10 });
    const stream = wire.open('program');
    wire.client.write(stream, bytes(30));
    wire.server.write(stream, bytes(15));
    wire.server.exit(stream, 'exit 3');
    wire.server.finish(stream);
    expect(wire.carry('server')).toEqual([
      { event: 'exit', stream, outcome: 'exit 3' },
      { event: 'data', stream, bytes: bytes(10) },
    ]);
    expect(wire.client.queued(stream)).toBe(0);
    wire.client.consumed(stream, 10);
    wire.carry('client');
    expect(wire.carry('server')).toEqual([
      { event: 'data', stream, bytes: bytes(5) },
      { event: 'finish', stream },
    ]);
    expect([wire.client.size, wire.server.size]).toEqual([0, 0]);
  });

  it('is there until it has ended, also when both directions are over', () => {
    const wire = new Wire();
    const stream = wire.open('program');
    wire.client.finish(stream);
    wire.client.stop(stream);
    wire.carry('client');
    expect([wire.client.size, wire.server.size]).toEqual([1, 1]);
    wire.server.exit(stream, 'signal SIGSEGV');
    wire.server.exit(stream, 'exit 0');
    expect(wire.carry('server')).toEqual([{ event: 'exit', stream, outcome: 'signal SIGSEGV' }]);
    expect([wire.client.size, wire.server.size]).toEqual([0, 0]);
  });

  it('alone can tell that, once, and only the side that has it', () => {
    const exit = (stream: number) => encodeStreamFrame({ type: 'exit', stream, outcome: 'exit 0' });
    const wire = new Wire();
    const connection = wire.open();
    expect(wire.client.receive(exit(connection))).toMatchObject([{ event: 'reset', reason: 'internal' }]);
    const program = wire.open('program');
    expect(wire.server.receive(exit(program))).toMatchObject([{ event: 'reset', reason: 'internal' }]);
    const twice = wire.open('program');
    wire.client.receive(exit(twice));
    expect(wire.client.receive(exit(twice))).toMatchObject([{ event: 'reset', reason: 'internal' }]);
  });
});

describe('many streams', () => {
  it('take turns, a frame each, and what is urgent goes before all data', () => {
    const wire = new Wire({ frameBytes: 10 });
    const [one, two] = [wire.open(), wire.open()];
    wire.client.write(one, bytes(30));
    wire.client.write(two, bytes(30));
    wire.client.open('tcp', 'b.example:1');
    const order = wire.carry('client').map(({ stream, event }) => `${event} ${stream}`);
    expect(order).toEqual(['open 3', 'data 1', 'data 2', 'data 1', 'data 2', 'data 1', 'data 2']);
  });

  it('do not stop each other: one that is not read leaves the rest alone', () => {
    const wire = new Wire({ windowBytes: 100 });
    const [stuck, free] = [wire.open(), wire.open()];
    wire.client.write(stuck, bytes(1000));
    wire.carry('client');
    wire.client.write(free, bytes(50));
    expect(dataOf(wire.carry('client'), free)).toHaveLength(50);
  });

  it('are no more than may be', () => {
    const wire = new Wire({ streams: 2 });
    wire.open();
    wire.open();
    expect(wire.client.open('tcp', 'c.example:1')).toBeUndefined();
    const eager = new StreamMultiplexer('opens', { streams: 10 });
    const server = new StreamMultiplexer('accepts', { streams: 1 });
    eager.open('tcp', 'a.example:1');
    const refused = eager.open('tcp', 'b.example:1') ?? 0;
    for (let message = eager.next(); message !== undefined; message = eager.next()) server.receive(message);
    const answer = server.next() ?? new Uint8Array();
    expect(eager.receive(answer)).toMatchObject([{ event: 'reset', stream: refused, reason: 'tooMany' }]);
  });
});

describe('a side that breaks the rules', () => {
  const broken = (act: (wire: Wire, stream: number) => void): void => {
    const wire = new Wire({ windowBytes: 100 });
    const stream = wire.open();
    expect(() => act(wire, stream)).toThrow(expect.objectContaining({ code: 'MANYPATH_STREAM_PROTOCOL' }));
  };
  const data = (stream: number, length: number) =>
    encodeStreamFrame({ type: 'data', stream, bytes: bytes(length) });
  const finish = (stream: number) => encodeStreamFrame({ type: 'finish', stream });
  const credit = (stream: number) => encodeStreamFrame({ type: 'credit', stream, credit: 0xffff_ffff });
  const open = (stream: number) =>
    encodeStreamFrame({
      type: 'open',
      stream,
      credit: 0,
      kind: 'tcp',
      target: 'x:1',
      local: false,
      origin: '',
    });

  const offences: [string, (wire: Wire, stream: number) => StreamEvent[]][] = [
    ['sends more than there is room for', (wire, stream) => wire.server.receive(data(stream, 101))],
    [
      'sends data after its end',
      (wire, stream) => {
        wire.server.receive(finish(stream));
        return wire.server.receive(data(stream, 1));
      },
    ],
    [
      'ends twice',
      (wire, stream) => {
        wire.server.receive(finish(stream));
        return wire.server.receive(finish(stream));
      },
    ],
    [
      'gives more credit than can be counted',
      (wire, stream) => {
        for (let time = 0; time < 2 ** 16; time++) wire.server.receive(credit(stream));
        return wire.server.receive(credit(stream));
      },
    ],
  ];
  it.each(offences)('on one stream loses that one, and no other, when it %s', (_, act) => {
    const wire = new Wire({ windowBytes: 100 });
    const [stream, other] = [wire.open(), wire.open()];
    expect(act(wire, stream)).toMatchObject([{ event: 'reset', stream, reason: 'internal' }]);
    expect(wire.carry('server')).toMatchObject([{ event: 'reset', stream, reason: 'internal' }]);
    wire.client.write(other, bytes(5));
    expect(dataOf(wire.carry('client'), other)).toHaveLength(5);
  });
  it('is found out when it speaks of streams that were never open', () =>
    broken(wire => wire.server.receive(data(77, 1))));
  it('is found out when it opens a stream again', () =>
    broken((wire, stream) => wire.server.receive(open(stream))));
  it('is found out when it opens streams that are not its to open', () =>
    broken(wire => wire.client.receive(open(9))));
});

describe('whatever is written and however slowly it is read', () => {
  it('all arrives, in order, byte by byte, and never more is under way than there is room for', () => {
    const transfer = fc.record({
      up: fc.nat(5000),
      down: fc.nat(5000),
      piece: fc.integer({ min: 1, max: 900 }),
    });
    fc.assert(
      fc.property(
        fc.array(transfer, { minLength: 1, maxLength: 6 }),
        fc.record({
          windowBytes: fc.integer({ min: 4, max: 2000 }),
          widestWindowBytes: fc.integer({ min: 2000, max: 4000 }),
          frameBytes: fc.integer({ min: 1, max: 700 }),
        }),
        fc.array(fc.nat(7), { minLength: 10, maxLength: 40 }),
        (transfers, limits, rhythm) => run(transfers, limits, rhythm),
      ),
      { interruptAfterTimeLimit: 4000, numRuns: 300 },
    );
  });
});

interface Transfer {
  up: number;
  down: number;
  piece: number;
}

/** Carries transfers in both directions, with reading and carrying in an order that the rhythm says. */
function run(transfers: readonly Transfer[], limits: Partial<StreamLimits>, rhythm: readonly number[]): void {
  const wire = new Wire(limits);
  const pattern = (length: number, seed: number) =>
    Uint8Array.from({ length }, (_, at) => (at * 31 + seed) & 0xff);
  const sides = { client: new Map<number, Uint8Array[]>(), server: new Map<number, Uint8Array[]>() };
  const unread = { client: new Map<number, number>(), server: new Map<number, number>() };
  const ended = { client: 0, server: 0 };
  const take = (side: 'client' | 'server', events: readonly StreamEvent[]): void => {
    for (const event of events) {
      if (event.event === 'open') {
        const { down, piece } = transfers[event.stream - 1] as Transfer;
        wire.server.accept(event.stream);
        send('server', event.stream, pattern(down, event.stream + 100), piece);
      } else if (event.event === 'data') {
        sides[side].set(event.stream, [...(sides[side].get(event.stream) ?? []), event.bytes.slice()]);
        const waiting = (unread[side].get(event.stream) ?? 0) + event.bytes.length;
        unread[side].set(event.stream, waiting);
        expect(waiting).toBeLessThanOrEqual(limits.widestWindowBytes ?? 0);
      } else if (event.event === 'finish') ended[side] += 1;
    }
  };
  const send = (side: 'client' | 'server', stream: number, all: Uint8Array, piece: number): void => {
    for (let at = 0; at < all.length; at += piece) wire[side].write(stream, all.subarray(at, at + piece));
    wire[side].finish(stream);
  };
  for (const [index, { up, piece }] of transfers.entries()) {
    const stream = wire.client.open('tcp', 'a:1') ?? 0;
    send('client', stream, pattern(up, index + 1), piece);
  }
  for (let turn = 0; ended.client + ended.server < 2 * transfers.length; turn++) {
    expect(turn).toBeLessThan(200_000);
    const beat = rhythm[turn % rhythm.length] ?? 0;
    const side = (beat & 1) === 0 ? 'client' : 'server';
    const other = side === 'client' ? 'server' : 'client';
    take(other, wire.carry(side, 1 + (beat >> 1)));
    // Both always get a turn, however one-sided the rhythm is.
    take(side, wire.carry(other, 1));
    for (const reader of ['client', 'server'] as const) {
      for (const [stream, waiting] of unread[reader]) {
        if ((beat + stream) % 3 === 1 && turn % 5 !== 0) continue;
        unread[reader].set(stream, 0);
        wire[reader].consumed(stream, waiting);
      }
    }
  }
  for (const [index, { up, down }] of transfers.entries()) {
    const stream = index + 1;
    expect(concatBytes(sides.server.get(stream) ?? [])).toEqual(pattern(up, stream));
    expect(concatBytes(sides.client.get(stream) ?? [])).toEqual(pattern(down, stream + 100));
  }
  expect([wire.client.size, wire.server.size]).toEqual([0, 0]);
}
