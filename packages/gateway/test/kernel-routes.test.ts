import type { RouteAnswer, RouteEvent } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { KernelRoutes, type RouteSource } from '../src/kernel-routes.ts';

/** A kernel that counts what it is asked, and tells of changes when it is told to. */
class CountingKernel implements RouteSource {
  readonly asked: string[] = [];
  #tell: (event: RouteEvent | undefined) => void = () => {};
  readonly #isDeaf: boolean;

  constructor(isDeaf = false) {
    this.#isDeaf = isDeaf;
  }

  routeTo: RouteSource['routeTo'] = (address, { oif } = {}) => {
    this.asked.push(oif === undefined ? address : `${address} ${oif}`);
    return address === '203.0.113.9' ? undefined : answer(address, oif ?? 'a');
  };

  events: RouteSource['events'] = signal => {
    if (this.#isDeaf) throw new Error('no events in this sandbox');
    const next = () =>
      new Promise<IteratorResult<RouteEvent, undefined>>(resolve => {
        this.#tell = event =>
          resolve(event === undefined ? { done: true, value: undefined } : { done: false, value: event });
        signal?.addEventListener('abort', () => resolve({ done: true, value: undefined }), { once: true });
      });
    return { next, [Symbol.asyncIterator]: () => ({ next }) as never } as AsyncIterableIterator<
      RouteEvent,
      undefined
    >;
  };

  close(): void {}

  async changes(): Promise<void> {
    this.#tell({ type: 'overrun' });
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
}

function answer(destination: string, device: string): RouteAnswer {
  return {
    destination,
    type: 'unicast',
    device,
    index: 2,
    gateway: '10.0.0.1',
    source: '10.0.0.2',
    table: 254,
    mtu: undefined,
  };
}

describe('routes that the kernel is asked for', () => {
  it('are asked for once, each way out for itself, also where there is none', () => {
    const kernel = new CountingKernel();
    const routes = new KernelRoutes({ open: () => kernel });
    for (let again = 0; again < 3; again++) {
      expect(routes.ask?.('203.0.113.1')?.device).toBe('a');
      expect(routes.ask?.('203.0.113.1', { oif: 'b' })?.device).toBe('b');
      expect(routes.lookup('203.0.113.9')).toBeUndefined();
    }
    expect(kernel.asked).toEqual(['203.0.113.1', '203.0.113.1 b', '203.0.113.9']);
    routes.close();
  });

  it('are asked for afresh after the kernel has told of any change', async () => {
    const kernel = new CountingKernel();
    const routes = new KernelRoutes({ open: () => kernel });
    routes.ask?.('203.0.113.1');
    await kernel.changes();
    routes.ask?.('203.0.113.1');
    expect(kernel.asked).toHaveLength(2);
    routes.close();
  });

  it('are asked for each time where changes are not told', async () => {
    const kernel = new CountingKernel(true);
    const routes = new KernelRoutes({ open: () => kernel });
    await Promise.resolve();
    routes.ask?.('203.0.113.1');
    routes.ask?.('203.0.113.1');
    expect(kernel.asked).toHaveLength(2);
    routes.close();
  });

  it('are not kept for more than so many addresses', () => {
    const kernel = new CountingKernel();
    const routes = new KernelRoutes({ open: () => kernel, most: 10 });
    for (let host = 0; host < 30; host++) routes.ask?.(`203.0.113.${100 + host}`);
    routes.ask?.('203.0.113.100');
    expect(kernel.asked).toHaveLength(31);
    routes.close();
  });

  it('are asked for no more when it is closed', () => {
    const kernel = new CountingKernel();
    const routes = new KernelRoutes({ open: () => kernel });
    routes.close();
    expect(routes.ask).toBeUndefined();
    expect(routes.lookup('203.0.113.1')).toBeUndefined();
    expect(kernel.asked).toEqual([]);
  });
});
