import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { type Choice, defaultChoice } from '../src/choice.ts';
import { isProxyAddress, planProxy } from '../src/proxy-plan.ts';
import { localSpellings } from './support/local-spellings.ts';

const gateway = { host: '127.0.0.1', port: 8118 };

const chosen = (choice: Partial<Choice>): Choice => ({ ...defaultChoice, ...choice });

/** What a browser makes of a plan for a host. */
function answer(plan: ReturnType<typeof planProxy>, host = 'example.org'): unknown {
  if (plan.kind === 'clear') return undefined;
  return runInNewContext(
    `${plan.script}\nFindProxyForURL('https://' + ${JSON.stringify(host)} + '/', ${JSON.stringify(host)})`,
  );
}

describe('the proxy setting', () => {
  it('leads to the gateway, and straight out when that is gone', () => {
    expect(answer(planProxy(chosen({ multipath: true, whenGone: 'open' }), gateway, 1))).toBe(
      'PROXY 127.0.0.1:8118; DIRECT',
    );
  });

  it('leads nowhere else for who wants to be blocked', () => {
    expect(answer(planProxy(chosen({ multipath: true, whenGone: 'closed' }), gateway, 1))).toBe(
      'PROXY 127.0.0.1:8118',
    );
  });

  it('is none of ours when the switch is off, or no gateway was ever seen', () => {
    expect(planProxy(chosen({ multipath: false, whenGone: 'closed' }), gateway, 1)).toEqual({
      kind: 'clear',
    });
    expect(planProxy(chosen({ multipath: true, whenGone: 'closed' }), undefined, 1)).toEqual({
      kind: 'clear',
    });
  });

  it('is a new one each time, so that the browser tries a proxy again that had failed', () => {
    const choice = chosen({ multipath: true, whenGone: 'open' });
    expect(planProxy(choice, gateway, 1)).not.toEqual(planProxy(choice, gateway, 2));
  });

  it('is left to the command line of a browser that was started with the gateway, and goes straight when off', () => {
    const straight = { host: '192.0.2.2', port: 9 };
    expect(planProxy(chosen({ multipath: true, whenGone: 'open' }), gateway, 1, straight)).toEqual({
      kind: 'clear',
    });
    const off = planProxy(chosen({ multipath: false, whenGone: 'open' }), gateway, 1, straight);
    expect(answer(off)).toBe('PROXY 192.0.2.2:9');
  });

  it('writes an IPv6 address in brackets', () => {
    expect(
      answer(planProxy(chosen({ multipath: true, whenGone: 'closed' }), { host: '::1', port: 1 }, 1)),
    ).toBe('PROXY [::1]:1');
  });
});

describe('hosts that are not asked of the gateway', () => {
  const plan = planProxy(chosen({ bypass: ['game.example', '*.live.example', '192.0.2.9'] }), gateway, 1);

  it.each([
    'localhost',
    'nas',
    'printer.local',
    'x.localhost',
    'router.home.arpa',
    'localhost.localdomain',
    'localhost6.localdomain6',
    '127.0.0.1',
    '169.254.1.1',
    '::1',
    'fe80::1',
  ])('are those of this machine and its link: %s', host => expect(answer(plan, host)).toBe('DIRECT'));

  /** A host as browsers write it, whatever a page wrote; PAC scripts get IPv6 addresses without brackets. */
  const written = (host: string) => new URL(`http://${host}/`).hostname.replace(/^\[(.*)\]$/, '$1');

  it.each(localSpellings)('are those of this machine and its link, however they are written: %s', host =>
    expect(answer(plan, written(host))).toBe('DIRECT'),
  );

  it.each([
    '[::2]',
    '[::ffff:10.0.0.1]',
    '[::ffff:8.8.8.8]',
    '[::ffff:128.0.0.1]',
    '[::1:0:0:1]',
    '[1::]',
    '1.0.0.1',
    '0x08080808',
    '128.1',
  ])('are none that only look like it: %s', host =>
    expect(answer(plan, written(host))).toBe('PROXY 127.0.0.1:8118; DIRECT'),
  );

  it.each(['game.example', 'GAME.example', 'game.example.', 'a.live.example', '192.0.2.9'])(
    'are those that the user named: %s',
    host => expect(answer(plan, host)).toBe('DIRECT'),
  );

  it.each(['live.example', 'notgame.example', 'xlive.example', '10.0.0.1', '1270.0.0.1', 'fc00::1'])(
    'are no others: %s',
    host => expect(answer(plan, host)).toBe('PROXY 127.0.0.1:8118; DIRECT'),
  );

  it('go by the straight port of a browser that has no other way out, and all others by the gateway', () => {
    const straight = { host: '192.0.2.2', port: 9 };
    const isolated = planProxy(chosen({ bypass: ['game.example'] }), gateway, 1, straight);
    expect(answer(isolated, 'game.example')).toBe('PROXY 192.0.2.2:9');
    expect(answer(isolated)).toBe('PROXY 127.0.0.1:8118');
  });

  it('cannot smuggle anything into the script', () => {
    const odd = planProxy(chosen({ bypass: ['"; evil(); "', 'good.example', '*.</script>'] }), gateway, 1);
    expect(odd.kind === 'script' && odd.script.includes('evil')).toBe(false);
    expect(answer(odd, 'good.example')).toBe('DIRECT');
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
