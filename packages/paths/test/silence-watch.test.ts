import type { SubflowInfo } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { SilenceWatch } from '../src/steering/silence-watch.ts';

/** What the watch looks at of a subflow. */
interface Seen {
  bytesAcked: number;
  bytesReceived: number;
  unacknowledged: number;
  rttMs: number;
  rttVarianceMs: number;
}

const fresh = (): Seen => ({
  bytesAcked: 0,
  bytesReceived: 0,
  unacknowledged: 0,
  rttMs: 20,
  rttVarianceMs: 2,
});

/** A connection of two subflows, looked at every 30 ms. */
class Connection {
  readonly a = fresh();
  readonly b = fresh();
  inOrder = 0;
  #now = 1000;
  readonly #watch = new SilenceWatch();

  /** @returns When each subflow was first called silent, in milliseconds from now. */
  run(
    milliseconds: number,
    step: () => void,
    carrying: readonly ('a' | 'b')[] = ['a', 'b'],
  ): Record<string, number> {
    const silent: Record<string, number> = {};
    for (let past = 0; past < milliseconds; past += 30) {
      step();
      const seen = new Map(carrying.map(key => [key, this[key] as unknown as SubflowInfo]));
      for (const key of this.#watch.look(seen, this.inOrder, this.#now)) silent[key] ??= past;
      this.#now += 30;
    }
    return silent;
  }
}

describe('a subflow', () => {
  it('is silent when what it sent is not acknowledged', () => {
    const connection = new Connection();
    connection.a.unacknowledged = 3;
    const silent = connection.run(600, () => {});
    expect(silent.a).toBeGreaterThanOrEqual(200);
    expect(silent.a).toBeLessThan(300);
    expect(silent).not.toHaveProperty('b');
  });

  it('is given the time that its round trips take', () => {
    const connection = new Connection();
    Object.assign(connection.a, { unacknowledged: 3, rttMs: 300, rttVarianceMs: 50 });
    expect(connection.run(1000, () => {})).toEqual({});
  });

  it('is not silent while acknowledgements come', () => {
    const connection = new Connection();
    connection.a.unacknowledged = 3;
    expect(
      connection.run(1000, () => {
        connection.a.bytesAcked += 1000;
      }),
    ).toEqual({});
  });

  it('is silent when the other one delivers what comes after a gap', () => {
    const connection = new Connection();
    connection.run(300, () => {
      connection.a.bytesReceived += 20_000;
      connection.b.bytesReceived += 20_000;
      connection.inOrder += 40_000;
    });
    const silent = connection.run(600, () => {
      connection.b.bytesReceived += 20_000;
    });
    expect(silent.a).toBeGreaterThan(0);
    expect(silent.a).toBeLessThan(330);
    expect(silent).not.toHaveProperty('b');
  });

  it('is not silent when the connection needs it no more', () => {
    const connection = new Connection();
    connection.run(300, () => {
      connection.a.bytesReceived += 20_000;
      connection.inOrder += 20_000;
    });
    expect(
      connection.run(2000, () => {
        connection.b.bytesReceived += 20_000;
        connection.inOrder += 20_000;
      }),
    ).toEqual({});
  });

  it('brings nothing with it when it begins to carry: what came over it before leaves no gap', () => {
    const connection = new Connection();
    connection.a.bytesReceived = 50_000_000;
    connection.run(1000, () => {}, ['b']);
    expect(connection.run(1000, () => {})).toEqual({});
  });

  it('is not silent when nothing comes at all: the other side may have nothing to say', () => {
    const connection = new Connection();
    connection.run(300, () => {
      connection.a.bytesReceived += 20_000;
      connection.inOrder += 20_000;
    });
    expect(connection.run(2000, () => {})).toEqual({});
  });
});
