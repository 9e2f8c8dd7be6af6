import { describe, expect, it } from 'vitest';
import { SerialQueue } from '../src/index.ts';

function queue() {
  const reported: string[] = [];
  const calls: string[] = [];
  const jobs = new SerialQueue(error => reported.push((error as Error).message));
  const fails = (name: string) => async () => {
    calls.push(name);
    throw new Error(name);
  };
  return { jobs, reported, calls, fails };
}

describe('a serial queue', () => {
  it('runs one job after the other, in the order in which they came', async () => {
    const { jobs, calls } = queue();
    let release = (): void => {};
    const first = jobs.run(async () => {
      calls.push('first begins');
      await new Promise<void>(resolve => {
        release = resolve;
      });
      calls.push('first ends');
      return 1;
    });
    const second = jobs.run(() => calls.push('second'));
    await Promise.resolve();
    await Promise.resolve();
    expect(calls).toEqual(['first begins']);
    release();
    expect(await first).toBe(1);
    await second;
    expect(calls).toEqual(['first begins', 'first ends', 'second']);
  });

  it('goes on after a job that failed, also at once, and tells whoever gave it', async () => {
    const { jobs, calls, fails, reported } = queue();
    await expect(jobs.run(fails('one'))).rejects.toThrow('one');
    await expect(
      jobs.run(() => {
        throw new Error('at once');
      }),
    ).rejects.toThrow('at once');
    await jobs.run(() => calls.push('two'));
    expect(calls).toEqual(['one', 'two']);
    expect(reported).toEqual([]);
  });

  it('reports what nobody waits for, each time, and goes on', async () => {
    const { jobs, calls, fails, reported } = queue();
    jobs.post(fails('one'));
    jobs.post(fails('two'));
    jobs.post(() => calls.push('three'));
    await jobs.idle;
    expect(calls).toEqual(['one', 'two', 'three']);
    expect(reported).toEqual(['one', 'two']);
  });

  it('is idle when the last job that was given has ended, and rejects nobody for it', async () => {
    const { jobs, fails } = queue();
    await jobs.idle;
    jobs.post(fails('one'));
    await expect(jobs.idle).resolves.toBeUndefined();
  });
});
