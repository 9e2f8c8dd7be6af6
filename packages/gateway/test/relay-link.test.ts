import { PassThrough } from 'node:stream';
import { type Pairing, SimulatedClock, silentLogger } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { RelayRefusedError } from '../src/errors.ts';
import type { Lane, LaneEvents, LaneState, Tunnel } from '../src/lanes/lane.ts';
import type { OpenLane } from '../src/lanes/open-lane.ts';
import { RelayLink } from '../src/lanes/relay-link.ts';
import { StreamTunnel } from '../src/lanes/stream-tunnel.ts';
import { type GatewayLimits, gatewayLimits } from '../src/limits.ts';

const pairing: Pairing = {
  address: { host: 'relay.example', port: 8443 },
  user: 'manypath',
  secret: 's',
  pin: undefined,
  secure: true,
  isRelay: true,
};
const target = { host: 'a.example', port: 80 };

/** A lane whose state the test sets: what counts here is time, which no real connection would follow. */
class PlannedLane implements Lane {
  readonly protocol = 'h2';
  readonly failure = undefined;
  state: LaneState = 'ready';
  streams = 0;
  capacity = 100;
  rate = 0;
  socket = undefined;
  checks = 0;
  idleSince = 0;
  heardAt = Number.POSITIVE_INFINITY;
  /** Whether tunnels are asked for in vain. */
  silent = false;
  /** What tunnels were opened with, in their order. */
  readonly asked: PassThrough[] = [];
  readonly #events: LaneEvents;

  constructor(events: LaneEvents) {
    this.#events = events;
  }

  async open(): Promise<Tunnel> {
    this.streams += 1;
    const stream = new PassThrough();
    stream.on('error', () => {});
    this.asked.push(stream);
    const answered = this.silent ? new Promise<void>(() => {}) : Promise.resolve();
    return new StreamTunnel(stream, undefined as never, answered);
  }

  tend(): void {}

  check(): void {
    this.checks += 1;
  }

  become(state: LaneState): void {
    this.state = state;
    this.#events.changed(this);
  }

  close(): void {
    if (this.state !== 'closed') this.become('closed');
  }
}

/** A link on a clock that the test turns, to a relay that the test plays. */
function plannedLink(limits: Partial<GatewayLimits> = {}, firstFailure?: Error) {
  const clock = new SimulatedClock();
  const lanes: PlannedLane[] = [];
  const attempts: number[] = [];
  let failure = firstFailure;
  const openLane: OpenLane = async ({ events }) => {
    attempts.push(clock.now());
    if (failure !== undefined) throw failure;
    const lane = new PlannedLane(events);
    lanes.push(lane);
    return lane;
  };
  const link = new RelayLink({
    pairing,
    limits: { ...gatewayLimits, ...limits },
    clock,
    logger: silentLogger,
    openLane,
    random: () => 1,
  });
  const pass = async (milliseconds: number) => {
    // In small steps, so that promises settle between what happens at different times.
    for (let turn = 0; turn < 8; turn++) await null;
    for (let left = milliseconds; left > 0; left -= 50) {
      clock.advance(Math.min(50, left));
      for (let turn = 0; turn < 8; turn++) await null;
    }
  };
  const fail = (error: Error | undefined) => {
    failure = error;
  };
  return { clock, lanes, attempts, link, pass, fail };
}

describe('the link to a relay', () => {
  it('connects at once and warms two lanes', async () => {
    const { link, lanes, pass } = plannedLink();
    expect(link.status()).toMatchObject({ state: 'connecting', lanes: [] });
    await pass(50);
    expect(link.status()).toMatchObject({ state: 'ready', reason: null });
    expect(lanes).toHaveLength(2);
  });

  it('tries again with longer and longer pauses while the relay is away', async () => {
    const { link, attempts, pass, fail } = plannedLink({}, new Error('nobody is there'));
    await pass(60_000);
    const pauses = attempts.slice(1).map((at, before) => at - (attempts[before] ?? 0));
    expect(pauses.slice(0, 7)).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000]);
    expect(link.status()).toMatchObject({ state: 'away', reason: 'nobody is there' });
    expect(link.status().retryInMs).toBeGreaterThan(0);
    fail(undefined);
    await pass(15_000);
    expect(link.status()).toMatchObject({ state: 'ready', retryInMs: null });
  });

  it('tries at once when somebody asks, and not more often than it should', async () => {
    const { link, attempts, pass, fail } = plannedLink({ demandRetryMs: 100 }, new Error('nobody is there'));
    await pass(10_000);
    const before = attempts.length;
    const ask = () =>
      link.open(target, { signal: new AbortController().signal, firstBytes: new Uint8Array() });
    await expect(ask()).rejects.toMatchObject({ code: 'MANYPATH_RELAY_AWAY' });
    expect(attempts.length).toBe(before + 1);
    await expect(ask()).rejects.toMatchObject({ code: 'MANYPATH_RELAY_AWAY' });
    expect(attempts.length).toBe(before + 1);
    await pass(100);
    fail(undefined);
    await expect(ask()).resolves.toBeDefined();
  });

  it('says that it is refused, and tries seldom', async () => {
    const refusal = new RelayRefusedError('relay.example:8443', 'the secret is wrong');
    const { link, attempts, pass } = plannedLink({ refusedRetryMs: 30_000 }, refusal);
    await pass(29_000);
    expect(attempts).toHaveLength(1);
    expect(link.status()).toMatchObject({ state: 'refused' });
    await pass(2_000);
    expect(attempts).toHaveLength(2);
  });

  it('replaces a lane that broke', async () => {
    const { link, lanes, pass } = plannedLink();
    await pass(50);
    lanes[0]?.become('closed');
    await pass(50);
    expect(lanes).toHaveLength(3);
    expect(link.status().lanes).toHaveLength(2);
    expect(link.state).toBe('ready');
  });

  it('does not hammer a relay that takes lanes and drops them', async () => {
    const { lanes, attempts, pass, fail } = plannedLink();
    await pass(50);
    for (let round = 0; round < 10; round++) {
      for (const lane of lanes) lane.close();
      fail(new Error('gone again'));
      await pass(50);
      fail(undefined);
      await pass(450);
    }
    expect(attempts.length).toBeLessThan(20);
  });

  it('is degraded while no lane answers, and looks for another', async () => {
    const { link, lanes, pass } = plannedLink();
    await pass(50);
    for (const lane of lanes) lane.become('suspect');
    expect(link.state).toBe('degraded');
    await pass(50);
    expect(lanes.length).toBeGreaterThan(2);
    expect(link.state).toBe('ready');
  });

  it('makes another lane while bulk transfers fill those there are, and closes it when it is not used', async () => {
    const { link, lanes, pass } = plannedLink({ lanesMost: 4, laneIdleMs: 60_000, laneCheckMs: 15_000 });
    await pass(50);
    await link.open(target, { signal: new AbortController().signal, firstBytes: new Uint8Array() });
    for (const lane of lanes) lane.rate = 1e9;
    await pass(300);
    expect(lanes).toHaveLength(3);
    for (const lane of lanes) {
      lane.rate = 0;
      lane.streams = 0;
    }
    await pass(90_000);
    expect(link.status().lanes).toHaveLength(2);
    expect(lanes[1]?.checks).toBeGreaterThan(3);
  });

  it('looks at every lane and tries at once when the network changed', async () => {
    const { link, lanes, attempts, pass, fail } = plannedLink();
    await pass(50);
    link.networkChanged();
    expect(lanes.map(({ checks }) => checks)).toEqual([1, 1]);
    fail(new Error('no network'));
    for (const lane of lanes) lane.close();
    await pass(20_000);
    const before = attempts.length;
    fail(undefined);
    link.networkChanged();
    expect(attempts.length).toBe(before + 1);
    await pass(50);
    expect(link.state).toBe('ready');
  });

  it('closes what carries nothing when links that come and go have made it open more lanes than it may', async () => {
    const { link, lanes, pass } = plannedLink({ lanesMost: 4 });
    await pass(0);
    const busy = lanes[0];
    if (busy !== undefined) busy.streams = 1;
    for (let flap = 0; flap < 10; flap++) {
      for (const lane of lanes) if (lane.state === 'ready') lane.become('suspect');
      link.networkChanged();
      await pass(500);
    }
    const open = lanes.filter(({ state }) => state !== 'closed');
    expect(lanes.length).toBeGreaterThan(4);
    expect(open.length).toBeLessThanOrEqual(4);
    expect(open).toContain(busy);
    expect(open).toContain(lanes.at(-1));
    link.close();
  });

  it('gives up an attempt that takes too long', async () => {
    const clock = new SimulatedClock();
    const link = new RelayLink({
      pairing,
      limits: { ...gatewayLimits, laneSetupMs: 1000 },
      clock,
      logger: silentLogger,
      openLane: (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    clock.advance(1000);
    for (let turn = 0; turn < 8; turn++) await null;
    expect(link.status()).toMatchObject({ state: 'away', reason: 'it did not answer within 1 s' });
    link.close();
  });

  const ask = (link: RelayLink, firstBytes = new Uint8Array()) =>
    link.open(target, { signal: new AbortController().signal, firstBytes });

  it('has requests leave a lane on which nothing arrives any more', async () => {
    const { link, lanes, pass } = plannedLink({ laneDoubtMs: 500 });
    await pass(50);
    for (const lane of lanes) Object.assign(lane, { silent: true, heardAt: 0 });
    const opened = ask(link, Uint8Array.of(0x16, 3, 1));
    await pass(550);
    const used = lanes.find(({ streams }) => streams > 0);
    expect(used?.checks).toBe(1);
    for (const lane of lanes) lane.become('suspect');
    await pass(550);
    await expect(opened).resolves.toBeDefined();
    expect(lanes.length).toBeGreaterThan(2);
    link.close();
  });

  it('sends nothing twice that a server would do twice', async () => {
    const { link, lanes, pass } = plannedLink({ laneDoubtMs: 500 });
    await pass(50);
    for (const lane of lanes) Object.assign(lane, { silent: true, heardAt: 0 });
    let isOver = false;
    void ask(link, new TextEncoder().encode('POST /pay HTTP/1.1\r\n')).finally(() => {
      isOver = true;
    });
    for (const lane of lanes) lane.become('suspect');
    await pass(5_000);
    expect(isOver).toBe(false);
    link.close();
  });

  it('breaks a client that was served ahead off only after a silence that no link comes back from', async () => {
    const { link, lanes, clock, pass } = plannedLink({ laneDoubtMs: 500, laneEarlySilenceMs: 20_000 });
    await pass(50);
    await ask(link);
    for (const lane of lanes) Object.assign(lane, { silent: true, heardAt: clock.now() });
    await ask(link, new TextEncoder().encode('POST /pay HTTP/1.1\r\n'));
    // All links were silent, and another lane is the first to be back.
    const [one, other] = [...lanes].sort((left, right) => right.streams - left.streams);
    for (const lane of [one, other]) lane?.become('suspect');
    await pass(1_000);
    for (const lane of lanes) if (lane.streams === 0) lane.become('ready');
    await pass(15_000);
    const stream = lanes.flatMap(lane => lane.asked).at(-1);
    expect(stream?.destroyed).toBe(false);
    await pass(6_000);
    expect(stream?.destroyed).toBe(true);
    expect(stream?.errored).toMatchObject({ code: 'MANYPATH_LANE_LOST' });
    link.close();
  });

  it('does not leave a lane because the target takes its time', async () => {
    const { link, lanes, pass } = plannedLink({ laneDoubtMs: 500 });
    await pass(50);
    for (const lane of lanes) lane.silent = true;
    void ask(link);
    await pass(5_000);
    expect(lanes).toHaveLength(2);
    expect(lanes.map(({ checks }) => checks)).toEqual([0, 0]);
    link.close();
  });

  it('leaves nothing behind when it is retired without a lane, and keeps nobody waiting', async () => {
    const { link, clock, pass } = plannedLink({}, new Error('nobody is there'));
    await pass(1_000);
    const waiting = ask(link);
    link.retire();
    await expect(waiting).rejects.toMatchObject({ code: 'MANYPATH_RELAY_AWAY' });
    await pass(1_000);
    expect(clock.pending).toBe(0);
  });

  it('leaves no timer behind when it is closed', async () => {
    const { link, clock, pass } = plannedLink();
    await pass(50);
    link.close();
    await pass(10_000);
    expect(clock.pending).toBe(0);
  });
});
