import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { isProxyAddress, planProxy } from '../src/proxy-plan.ts';

const gateway = { host: '127.0.0.1', port: 8118 };

/** What a browser makes of a plan for an address. */
function answer(plan: ReturnType<typeof planProxy>): unknown {
  if (plan.kind === 'clear') return undefined;
  return runInNewContext(`${plan.script}\nFindProxyForURL('https://example.org/', 'example.org')`);
}

describe('the proxy setting', () => {
  it('leads to the gateway, and straight out when that is gone', () => {
    expect(answer(planProxy({ multipath: true, whenGone: 'open' }, gateway, 1))).toBe(
      'PROXY 127.0.0.1:8118; DIRECT',
    );
  });

  it('leads nowhere else for who wants to be blocked', () => {
    expect(answer(planProxy({ multipath: true, whenGone: 'closed' }, gateway, 1))).toBe(
      'PROXY 127.0.0.1:8118',
    );
  });

  it('is none of ours when the switch is off, or no gateway was ever seen', () => {
    expect(planProxy({ multipath: false, whenGone: 'closed' }, gateway, 1)).toEqual({ kind: 'clear' });
    expect(planProxy({ multipath: true, whenGone: 'closed' }, undefined, 1)).toEqual({ kind: 'clear' });
  });

  it('is a new one each time, so that the browser tries a proxy again that had failed', () => {
    const choice = { multipath: true, whenGone: 'open' } as const;
    expect(planProxy(choice, gateway, 1)).not.toEqual(planProxy(choice, gateway, 2));
  });

  it('is left to the command line of a browser that was started with the gateway, and goes straight when off', () => {
    const straight = { host: '192.0.2.2', port: 9 };
    expect(planProxy({ multipath: true, whenGone: 'open' }, gateway, 1, straight)).toEqual({ kind: 'clear' });
    const off = planProxy({ multipath: false, whenGone: 'open' }, gateway, 1, straight);
    expect(answer(off)).toBe('PROXY 192.0.2.2:9');
  });

  it('writes an IPv6 address in brackets', () => {
    expect(answer(planProxy({ multipath: true, whenGone: 'closed' }, { host: '::1', port: 1 }, 1))).toBe(
      'PROXY [::1]:1',
    );
  });
});

describe('a proxy address', () => {
  it.each([
    [{ host: '127.0.0.1', port: 8118 }, true],
    [{ host: '127.0.0.1"; evil()', port: 8118 }, false],
    [{ host: '127.0.0.1', port: 0 }, false],
    [{ host: '127.0.0.1', port: '8118' }, false],
    [null, false],
  ])('%j: %s', (value, expected) => expect(isProxyAddress(value)).toBe(expected));
});
