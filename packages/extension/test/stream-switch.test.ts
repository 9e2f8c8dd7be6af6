import { decodeStreamFrame, encodeStreamFrame, type StreamFrame, type StreamWish } from '@manypath/core';
import type { SwitchMessage } from '@manypath/page';
import { afterEach, describe, expect, it } from 'vitest';
import { type PageIdentity, StreamSwitch, type Verdict } from '../src/streams/stream-switch.ts';

const allowed: Verdict = { allowed: true, local: false, reason: '' };
const origin = 'https://app.example';
const ports: MessagePort[] = [];

afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

type Authorize = (page: PageIdentity, wishes: readonly StreamWish[]) => Promise<Verdict>;

/** A switch with a page and a gateway, whose frames are read by tests. */
function stage(authorize: Authorize = async () => allowed) {
  const sent: StreamFrame[] = [];
  const streams = new StreamSwitch({ authorize });
  streams.connected({ waiting: 0, send: message => void sent.push(decodeStreamFrame(message)) });
  const page = () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    const frames: StreamFrame[] = [];
    const messages: SwitchMessage[] = [];
    port1.onmessage = ({ data }) => {
      if (Array.isArray(data)) frames.push(...data.map(frame => decodeStreamFrame(new Uint8Array(frame))));
      else messages.push(data);
    };
    return {
      frames,
      messages,
      leave: streams.add({ origin }, port2),
      say: (data: unknown) => port1.postMessage(data),
      send: (...list: StreamFrame[]) => port1.postMessage(list.map(frame => encodeStreamFrame(frame).buffer)),
    };
  };
  const answer = (...list: StreamFrame[]) => streams.fromGateway(list.map(encodeStreamFrame));
  return { streams, sent, page, answer };
}

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 1));
};

const open = (stream: number, target = 'a.example:1', kind: 'tcp' | 'program' = 'tcp'): StreamFrame => ({
  type: 'open',
  stream,
  credit: 1000,
  kind,
  target,
  local: false,
  origin: 'https://forged.example',
});

describe('the switch of streams', () => {
  it('joins pages under numbers of its own, with the origin that the browser told', async () => {
    const { sent, page, answer } = stage();
    const [one, two] = [page(), page()];
    one.send(open(1));
    await until(() => sent.length === 1);
    two.send(open(1, 'b.example:2'));
    await until(() => sent.length === 2);
    expect(sent).toMatchObject([
      { type: 'open', stream: 1, origin, target: 'a.example:1' },
      { type: 'open', stream: 2, origin, target: 'b.example:2' },
    ]);
    const bytes = Uint8Array.of(7);
    answer({ type: 'data', stream: 2, bytes });
    await until(() => two.frames.length === 1);
    expect(two.frames).toEqual([{ type: 'data', stream: 1, bytes }]);
    two.send({ type: 'data', stream: 1, bytes: Uint8Array.of(8) });
    await until(() => sent.length === 3);
    expect(sent[2]).toMatchObject({ type: 'data', stream: 2 });
    expect(one.frames).toEqual([]);
  });

  it('tells a page that whether it may could not be found out, for streams and for what it asks in advance', async () => {
    const { page, sent } = stage(() => Promise.reject(new Error('the storage is broken')));
    const one = page();
    one.send(open(1));
    await until(() => one.frames.length === 1);
    expect(one.frames[0]).toMatchObject({ type: 'reset', stream: 1, reason: 'denied' });
    one.say({ kind: 'access', id: 5, wishes: [{ host: 'a.example', port: 1 }] });
    await until(() => one.messages.some(({ kind }) => kind === 'access'));
    expect(one.messages).toContainEqual({
      kind: 'access',
      id: 5,
      granted: false,
      reason: expect.stringContaining('the storage is broken'),
    });
    expect(sent).toEqual([]);
  });

  it('opens a program without asking the user: the gateway knows which there are', async () => {
    const { page, sent } = stage(() => Promise.reject(new Error('not to be asked')));
    page().send(open(1, 'quiz', 'program'));
    await until(() => sent.length === 1);
    expect(sent[0]).toMatchObject({ kind: 'program', target: 'quiz', origin });
  });

  it('holds what ends a stream while the user is asked, and no data', async () => {
    let decide: (verdict: Verdict) => void = () => {};
    const { page, sent, streams } = stage(() => new Promise(resolve => (decide = resolve)));
    const one = page();
    one.send(open(1), { type: 'reset', stream: 1, reason: 'cancelled', message: 'no more' });
    one.say({ kind: 'access', id: 1, wishes: [{ host: 'a.example', port: 1 }] });
    const before = decide;
    await until(() => decide !== before);
    const other = page();
    other.send(open(1), ...Array.from({ length: 5 }, () => ({ type: 'finish', stream: 1 }) as const));
    await until(() => streams.pages === 1);
    expect(sent).toEqual([]);
  });

  it('knows a stream until it is over, one to a program until that has ended', async () => {
    const { page, sent, answer, streams } = stage();
    const one = page();
    one.send(open(1), open(2, 'quiz', 'program'));
    await until(() => sent.length === 2);
    for (const stream of [1, 2]) one.send({ type: 'finish', stream }, { type: 'stop', stream });
    await until(() => sent.length === 6);
    one.leave();
    // Only the program is still somebody's.
    const program = sent.find(frame => frame.type === 'open' && frame.kind === 'program');
    expect(sent.slice(6)).toMatchObject([{ type: 'reset', stream: program?.stream, reason: 'cancelled' }]);
    const two = page();
    two.send(open(1, 'quiz', 'program'));
    await until(() => sent.length === 8);
    answer({ type: 'exit', stream: 3, outcome: 'exit 0' }, { type: 'finish', stream: 3 });
    await until(() => two.frames.length === 2);
    two.leave();
    expect(sent).toHaveLength(8);
    expect(streams.pages).toBe(0);
  });

  it('ends streams that the user has revoked, and no others', async () => {
    const { page, sent, streams } = stage();
    const one = page();
    one.send(open(1), open(2, 'b.example:1'));
    await until(() => sent.length === 2);
    streams.recheck((_, { host }) => host === 'b.example');
    expect(sent.slice(2)).toMatchObject([{ type: 'reset', stream: 1, reason: 'denied' }]);
    await until(() => one.frames.length === 1);
    expect(one.frames).toMatchObject([{ type: 'reset', stream: 1, reason: 'denied' }]);
  });

  it('says that the gateway went away, after which a page begins anew', async () => {
    const { page, streams } = stage();
    const one = page();
    await until(() => one.messages.length === 1);
    streams.disconnected('it crashed');
    await until(() => one.messages.length === 2);
    expect(one.messages).toEqual([{ kind: 'ready' }, { kind: 'away', reason: 'it crashed' }]);
    expect(streams.pages).toBe(0);
  });

  it.each<[string, unknown]>([
    ['a number', 5],
    ['a frame that is none', [Uint8Array.of(99, 0, 0, 0, 1).buffer]],
    ['more frames than go together', Array.from({ length: 65 }, () => new ArrayBuffer(5))],
    ['a frame for a stream that is not open', [encodeStreamFrame({ type: 'finish', stream: 9 }).buffer]],
    ['wishes without end', { kind: 'access', id: 1, wishes: Array(21).fill({ host: 'a.example', port: 1 }) }],
    ['a wish for no port', { kind: 'access', id: 1, wishes: [{ host: 'a.example', port: 0 }] }],
  ])('lets go of a page that sends %s', async (_, data) => {
    const { page, streams } = stage();
    const good = page();
    page().say(data);
    await until(() => streams.pages === 1);
    good.send(open(1));
    expect(streams.pages).toBe(1);
  });
});
