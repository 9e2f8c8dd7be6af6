import { SimulatedClock } from '@manypath/core';
import type { Lookup } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { followName } from '../src/lanes/follow-name.ts';

const nameCheckMs = 1500;

/** A name that leads where the test says, and everything that was dialled for it. */
class Scene {
  readonly clock = new SimulatedClock();
  readonly dials: { readonly addresses: readonly string[]; readonly signal: AbortSignal }[] = [];
  addresses: readonly string[] = ['192.0.2.1'];
  asked = 0;
  readonly #lookup: Lookup = async () => {
    this.asked += 1;
    return this.addresses.map(address => ({ address, family: 4 }));
  };

  /** Dials what stays silent until `answer` is called, or fails with what it gives. */
  dial(signal: AbortSignal): { outcome: Promise<string>; answer: (error?: Error) => void } {
    let answer: (error?: Error) => void = () => {};
    const options = { lookup: this.#lookup, nameCheckMs, clock: this.clock };
    const outcome = followName('relay.example', options, signal, async (lookup, given) => {
      const found = await lookup('relay.example', { family: 0, signal: given });
      const addresses = found.map(({ address }) => address);
      this.dials.push({ addresses, signal: given });
      return new Promise<string>((resolve, reject) => {
        answer = error => (error === undefined ? resolve(addresses.join()) : reject(error));
        given.addEventListener('abort', () => reject(given.reason), { once: true });
      });
    });
    outcome.catch(() => {});
    return { outcome, answer: error => answer(error) };
  }

  async pass(milliseconds: number): Promise<void> {
    await turn();
    this.clock.advance(milliseconds);
    await turn();
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve));

describe('a name that is dialled', () => {
  it('is dialled where it leads by now when it moves while nobody answers', async () => {
    const scene = new Scene();
    const { outcome, answer } = scene.dial(new AbortController().signal);
    await scene.pass(nameCheckMs);
    expect(scene.dials).toHaveLength(1);
    scene.addresses = ['192.0.2.9'];
    await scene.pass(nameCheckMs);
    expect(scene.dials.map(({ addresses }) => addresses)).toEqual([['192.0.2.1'], ['192.0.2.9']]);
    expect(scene.dials.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    answer();
    expect(await outcome).toBe('192.0.2.9');
    expect(scene.clock.pending).toBe(0);
  });

  it('is waited for where one of its addresses is what it was, and where it leads nowhere', async () => {
    const scene = new Scene();
    scene.addresses = ['192.0.2.1', '192.0.2.2'];
    const { outcome, answer } = scene.dial(new AbortController().signal);
    await turn();
    for (const addresses of [['192.0.2.2', '192.0.2.3'], [], ['192.0.2.1']]) {
      scene.addresses = addresses;
      await scene.pass(nameCheckMs);
    }
    expect(scene.dials).toHaveLength(1);
    answer();
    expect(await outcome).toBe('192.0.2.1,192.0.2.2');
  });

  it('fails as the dial does, and is looked up no more', async () => {
    const scene = new Scene();
    const { outcome, answer } = scene.dial(new AbortController().signal);
    await turn();
    answer(new Error('refused'));
    await expect(outcome).rejects.toThrow('refused');
    expect(scene.clock.pending).toBe(0);
    expect(scene.asked).toBe(1);
  });

  it('is given up with the signal', async () => {
    const scene = new Scene();
    const abort = new AbortController();
    const { outcome } = scene.dial(abort.signal);
    await turn();
    abort.abort(new Error('too late'));
    await expect(outcome).rejects.toThrow('too late');
    expect(scene.dials).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });
});
