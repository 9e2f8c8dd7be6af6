import { describe, expect, it } from 'vitest';
import { Burst } from '../src/burst.ts';

/** Until messages that were posted have been handled. */
const handled = (): Promise<void> =>
  new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });

describe('a burst', () => {
  it('works at once for the first, and once for all that follow at once', async () => {
    let worked = 0;
    const burst = new Burst(() => {
      worked += 1;
    });
    burst.ask();
    expect(worked).toBe(1);
    for (let more = 0; more < 5; more++) burst.ask();
    expect(worked).toBe(1);
    await handled();
    await handled();
    expect(worked).toBe(2);
    await handled();
    burst.ask();
    expect(worked).toBe(3);
    burst.close();
  });

  it('does nothing any more when it is closed', async () => {
    let worked = 0;
    const burst = new Burst(() => {
      worked += 1;
    });
    burst.ask();
    burst.ask();
    burst.close();
    burst.ask();
    await handled();
    expect(worked).toBe(1);
  });
});
