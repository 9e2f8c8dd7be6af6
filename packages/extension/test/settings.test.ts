import { describe, expect, it } from 'vitest';
import { badgeText } from '../src/badge.ts';
import { choiceFrom, defaultChoice } from '../src/choice.ts';
import { pathChange, pathSettings } from '../src/path-settings.ts';
import { readSettings, writeSettings } from '../src/settings-file.ts';
import { siteRules, withoutSiteRule, withSiteRule } from '../src/site-rules.ts';

const wwan = { name: 'wwan0', kind: 'cellular', tier: 'secondary' } as const;

describe('what is set for a path', () => {
  it('is what the file says of it, else of its kind, else what is usual', () => {
    const config = {
      paths: { 'kind:cellular': { tier: 'backup', resetDay: 9 }, wwan0: { dailyCap: '500 MB' } },
    };
    expect(pathSettings(config, wwan)).toEqual({
      tier: 'backup',
      dailyCap: '500 MB',
      monthlyCap: '',
      resetDay: 9,
      atCap: 'backup',
    });
    expect(pathSettings({ paths: { wwan0: 'never' } }, wwan).tier).toBe('never');
    expect(pathSettings({}, wwan).tier).toBe('secondary');
  });

  it('changes alone, and an empty cap is none', () => {
    const config = { paths: { wlan0: 'primary', wwan0: { tier: 'backup', dailyCap: '1 GB' } } };
    expect(pathChange(config, wwan, { dailyCap: '', resetDay: 3 })).toEqual({
      wlan0: 'primary',
      wwan0: { tier: 'backup', resetDay: 3 },
    });
    expect(pathChange({}, wwan, { tier: 'never' })).toEqual({ wwan0: { tier: 'never' } });
  });
});

describe('rules for sites', () => {
  const config = {
    rules: [
      { host: 'a.example', route: 'relay' },
      { host: 'b.example', route: 'straight', paths: ['wlan0'] },
    ],
  };

  it('are those of the gateway and of the browser', () => {
    expect(siteRules(config, ['c.example'])).toEqual([
      { host: 'a.example', wish: 'relay' },
      { host: 'b.example', wish: 'single', path: 'wlan0' },
      { host: 'c.example', wish: 'bypass' },
    ]);
  });

  it('take the place of one for the same host', () => {
    expect(withSiteRule(config, { host: 'a.example', wish: 'tcp' })).toEqual([
      config.rules[1],
      { host: 'a.example', route: 'tcp' },
    ]);
    expect(withSiteRule({}, { host: 'd.example', wish: 'single', path: 'wwan0' })).toEqual([
      { host: 'd.example', route: 'straight', paths: ['wwan0'] },
    ]);
    expect(withoutSiteRule(config, 'a.example')).toEqual([config.rules[1]]);
  });
});

describe('a file of settings', () => {
  it('brings back what was written, without what belongs to one machine', () => {
    const choice = { ...defaultChoice, whenGone: 'closed', bypass: ['a.example'] } as const;
    const text = writeSettings(choice, {
      paths: { wwan0: 'backup' },
      listen: '127.0.0.1:1',
      relay: 'manypath://s@h:1',
    });
    expect(text).not.toContain('manypath://');
    expect(readSettings(text)).toMatchObject({ choice, config: { paths: { wwan0: 'backup' } } });
    expect(Object.keys(readSettings(text).config)).toEqual(['paths']);
  });

  it.each([
    '',
    'no JSON',
    '[]',
    'null',
    '{}',
    '{"manypath":"settings","version":2}',
    '{"manypath":"settings","version":1}',
  ])('is refused in words when it is none: %s', text =>
    expect(() => readSettings(text)).toThrow(/^(This|These) .+\.$/),
  );
});

describe('a stored choice', () => {
  it('has defaults for what is missing or broken', () => {
    expect(choiceFrom({})).toEqual(defaultChoice);
    expect(
      choiceFrom({ multipath: 'yes', whenGone: 1, retry: null, bypass: [1, 'a b', 'ok.example'] }),
    ).toEqual({
      ...defaultChoice,
      bypass: ['ok.example'],
    });
  });
});

describe('the badge', () => {
  const multipath = { reason: 'multipath', paths: ['wlan0', 'wwan0'], text: '', command: null } as const;

  it('is the number of paths in use', () => expect(badgeText(true, { multipath })).toBe('2'));
  it('is empty when it is switched off', () => expect(badgeText(false, undefined)).toBe(''));
  it('warns when no gateway answers', () => expect(badgeText(true, undefined)).toBe('!'));
});
