import type { SubflowInfo } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { LifeWatch } from '../src/steering/life-watch.ts';

/** A connection of two subflows, looked at every 30 ms. */
class Connection {
  readonly a = { bytesReceived: 0, bytesAcked: 0, rttMs: 20, rttVarianceMs: 2, lastDataReceivedMs: 5000 };
  readonly b = { bytesReceived: 0, bytesAcked: 0, rttMs: 20, rttVarianceMs: 2, lastDataReceivedMs: 5000 };
  #now = 1000;
  readonly #watch = new LifeWatch();

  pass(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** @returns When each subflow was doubted, in milliseconds from now, and over which something came at the end. */
  run(milliseconds: number, step: () => void) {
    const doubted: Record<'a' | 'b', number[]> = { a: [], b: [] };
    let alive: readonly string[] = [];
    for (let past = 0; past < milliseconds; past += 30) {
      step();
      const seen = new Map(
        (['a', 'b'] as const).map(key => [key as string, this[key] as unknown as SubflowInfo]),
      );
      const looked = this.#watch.look(seen, this.#now);
      for (const key of looked.doubtful) doubted[key as 'a' | 'b'].push(past);
      alive = looked.alive;
      this.#now += 30;
    }
    return { doubted, alive };
  }
}

describe('a subflow over which nothing comes any more', () => {
  it('is worth a question soon, also when what it owed was sent again elsewhere', () => {
    const connection = new Connection();
    connection.run(600, () => {
      connection.a.bytesReceived += 40_000;
      connection.b.bytesReceived += 40_000;
    });
    const { doubted, alive } = connection.run(600, () => {
      connection.a.bytesReceived += 40_000;
    });
    expect(doubted.b[0]).toBeLessThan(200);
    expect(doubted.a).toEqual([]);
    expect(alive).toEqual(['a']);
  });

  it('is asked about ever more seldom while it only has nothing to carry', () => {
    const connection = new Connection();
    connection.b.bytesAcked = 100_000;
    const { doubted } = connection.run(10_000, () => {
      connection.a.bytesReceived += 40_000;
    });
    expect(doubted.b.length).toBeGreaterThan(1);
    expect(doubted.b.length).toBeLessThan(9);
  });

  it('is left in peace when it never carried much, and when the others carry nothing either', () => {
    const connection = new Connection();
    const unused = connection.run(3000, () => {
      connection.a.bytesReceived += 40_000;
    });
    expect(unused.doubted.b).toEqual([]);
    connection.b.bytesAcked = 100_000;
    connection.run(600, () => {});
    const over = connection.run(3000, () => {});
    expect(over.doubted).toEqual({ a: [], b: [] });
  });

  it('is no sign of life when nobody looked for so long that it may have come before', () => {
    const connection = new Connection();
    connection.run(60, () => {});
    connection.pass(2000);
    connection.a.bytesReceived = 1000;
    connection.b.bytesReceived = 1000;
    connection.b.lastDataReceivedMs = 10;
    expect(connection.run(30, () => {}).alive).toEqual(['b']);
  });

  it('is given the time of its round trips', () => {
    const connection = new Connection();
    Object.assign(connection.b, { rttMs: 400, rttVarianceMs: 50 });
    connection.run(300, () => {
      connection.a.bytesReceived += 40_000;
      connection.b.bytesReceived += 40_000;
    });
    const { doubted } = connection.run(450, () => {
      connection.a.bytesReceived += 40_000;
    });
    expect(doubted.b).toEqual([]);
  });
});
