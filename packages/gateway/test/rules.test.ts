import { describe, expect, it } from 'vitest';
import { Rules } from '../src/rules.ts';

describe('the rule for a host', () => {
  const rules = new Rules(
    [
      { host: 'video.example.org', route: 'tcp' },
      { host: '*.example.org', route: 'relay' },
      { host: '10.0.0.0/8', route: 'straight', paths: ['eth0'] },
      { host: '2001:db8::1', route: 'relay' },
    ],
    ['*.bank.example', '192.0.2.0/24'],
  );
  const routeOf = (host: string) => rules.for(host)?.route;

  it('is the first that fits', () => {
    expect(routeOf('video.example.org')).toBe('tcp');
    expect(routeOf('www.example.org')).toBe('relay');
    expect(routeOf('WWW.Example.org.')).toBe('relay');
    expect(rules.for('10.9.8.7')).toMatchObject({ route: 'straight', paths: ['eth0'] });
    expect(routeOf('2001:0db8:0::1')).toBe('relay');
    expect(routeOf('[2001:db8::1]')).toBe('relay');
  });

  it('is straight for what bypasses the relay', () => {
    expect(routeOf('www.bank.example')).toBe('straight');
    expect(routeOf('192.0.2.200')).toBe('straight');
  });

  it('is none for others', () => {
    for (const host of [
      'example.org',
      'badexample.org',
      'bank.example',
      '11.0.0.1',
      '2001:db8::2',
      '10.x.example',
    ]) {
      expect(routeOf(host), host).toBeUndefined();
    }
    expect(new Rules().for('example.org')).toBeUndefined();
  });

  it('may be one for all', () => {
    const all = new Rules([{ host: '*', route: 'tcp' }]);
    for (const host of ['example.org', 'localhost', '192.0.2.1', '::1'])
      expect(all.for(host)?.route).toBe('tcp');
  });
});
