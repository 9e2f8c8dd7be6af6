import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigInvalidError, parseConfig } from '../src/index.ts';
import { errorOf, searchBriefly } from './support/pieces.ts';

describe('a configuration file', () => {
  it('may be empty of everything', () => {
    expect(parseConfig('{}')).toEqual({});
  });

  it('says what there is to say', () => {
    const file = {
      relay: 'manypath://SECRET@relay.example:8443',
      listen: '127.0.0.1:8118',
      paths: {
        wlan0: 'primary',
        wwan0: {
          tier: 'backup',
          dailyCap: '500 MB',
          monthlyCap: 10_000_000_000,
          resetDay: 31,
          atCap: 'never',
        },
        eth0: { resetDay: 15 },
        'kind:cellular': { monthlyCap: '1.5GiB' },
        lo: {},
      },
      rules: [
        { host: '*.video.example', route: 'relay', paths: ['wlan0', 'kind:ethernet'] },
        { host: '10.0.0.0/8', route: 'tcp' },
        { host: '*', paths: ['eth0'] },
      ],
      local: ['nas', '*.corp.example', '10.0.0.0/8', '2001:db8::1'],
      straight: ['cdn.example'],
      bypass: ['printer.local', 'fe80::/10'],
      probe: { target: 'probe.example:443', portalCheck: 'http://portal.example/generate_204' },
      streams: {
        allow: [
          { origin: 'https://app.example', host: '*.chat.example', port: 6697 },
          { origin: 'http://localhost:8000', host: '127.0.0.1', port: 7, local: true },
        ],
        programs: { quiz: { command: ['/usr/games/quiz', '-t'], origins: ['https://app.example'] } },
      },
      limits: { connections: 100 },
    };
    expect(parseConfig(JSON.stringify(file))).toEqual({
      ...file,
      paths: {
        wlan0: { tier: 'primary' },
        wwan0: {
          tier: 'backup',
          dailyCapBytes: 500_000_000,
          monthlyCapBytes: 10_000_000_000,
          resetDay: 31,
          atCap: 'never',
        },
        eth0: { resetDay: 15 },
        'kind:cellular': { monthlyCapBytes: 1_610_612_736 },
        lo: {},
      },
    });
  });

  for (const probe of [
    { target: 'relay' },
    { target: 'gateway' },
    { target: '[2001:db8::1]:53' },
    { portalCheck: false },
  ]) {
    it(`may have paths tried as ${JSON.stringify(probe)}`, () => {
      expect(parseConfig(JSON.stringify({ probe }))).toEqual({ probe });
    });
  }

  const wrong: [file: string, key: string, reason: string][] = [
    ['', '', 'it is not JSON'],
    ['{"relay":}', '', 'it is not JSON'],
    ['[]', '', 'it must be an object'],
    ['null', '', 'it must be an object'],
    ['{"relai":"x"}', 'relai', 'there is no such key'],
    ['{"constructor":1}', 'constructor', 'there is no such key'],
    ['{"relay":5}', 'relay', 'it must be a text'],
    ['{"relay":"relay.example"}', 'relay', 'manypath://SECRET@HOST:PORT'],
    ['{"relay":null}', 'relay', 'it must be a text'],
    ['{"listen":"81180"}', 'listen', 'no number from 1 to 65535'],
    ['{"paths":[]}', 'paths', 'it must be an object'],
    ['{"paths":{"wlan0":"fast"}}', 'paths.wlan0', '"primary", "secondary", "backup" or "never"'],
    ['{"paths":{"wlan0":7}}', 'paths.wlan0', 'it must be an object'],
    [
      '{"paths":{"wlan0":{"tier":"fast"}}}',
      'paths.wlan0.tier',
      '"primary", "secondary", "backup" or "never"',
    ],
    ['{"paths":{"wlan0":{"cap":1}}}', 'paths.wlan0.cap', 'there is no such key'],
    ['{"paths":{"wlan0":{"dailyCap":0}}}', 'paths.wlan0.dailyCap', 'at least one byte'],
    ['{"paths":{"wlan0":{"dailyCap":1.5}}}', 'paths.wlan0.dailyCap', 'a whole number of bytes'],
    ['{"paths":{"wlan0":{"dailyCap":1e999}}}', 'paths.wlan0.dailyCap', 'a whole number of bytes'],
    ['{"paths":{"wlan0":{"dailyCap":"500"}}}', 'paths.wlan0.dailyCap', 'a number and a unit'],
    ['{"paths":{"wlan0":{"monthlyCap":"5 Gb"}}}', 'paths.wlan0.monthlyCap', 'the unit must be one of'],
    ['{"paths":{"wlan0":{"monthlyCap":null}}}', 'paths.wlan0.monthlyCap', 'a size like "500 MB"'],
    ['{"paths":{"wlan0":{"resetDay":0}}}', 'paths.wlan0.resetDay', '1 to 31'],
    ['{"paths":{"wlan0":{"resetDay":32}}}', 'paths.wlan0.resetDay', '1 to 31'],
    ['{"paths":{"wlan0":{"resetDay":1.5}}}', 'paths.wlan0.resetDay', 'a whole number'],
    ['{"paths":{"wlan0":{"atCap":"primary"}}}', 'paths.wlan0.atCap', '"backup" or "never"'],
    ['{"paths":{"kind:5g":"backup"}}', 'paths.kind:5g', 'kind:cellular'],
    ['{"paths":{"a b":"backup"}}', 'paths.a b', 'the name of an interface'],
    ['{"paths":{"":"backup"}}', 'paths.', 'the name of an interface'],
    ['{"rules":{}}', 'rules', 'it must be a list'],
    ['{"rules":["x"]}', 'rules.0', 'it must be an object'],
    ['{"rules":[{"route":"tcp"}]}', 'rules.0.host', 'it is missing'],
    ['{"rules":[{"host":"a b","route":"tcp"}]}', 'rules.0.host', 'a host name'],
    ['{"rules":[{"host":"x"}]}', 'rules.0', 'a "route", "paths", or both'],
    ['{"rules":[{"host":"x","route":"mptcp"}]}', 'rules.0.route', '"straight", "relay" or "tcp"'],
    ['{"rules":[{"host":"x","paths":[]}]}', 'rules.0.paths', 'one path at least'],
    ['{"rules":[{"host":"x","paths":"wlan0"}]}', 'rules.0.paths', 'a list of names'],
    ['{"rules":[{"host":"x","paths":["kind:5g"]}]}', 'rules.0.paths.0', 'kind:cellular'],
    ['{"bypass":["a b"]}', 'bypass.0', 'a host name'],
    ['{"probe":{"target":"example"}}', 'probe.target', 'the port is missing'],
    ['{"probe":{"target":7}}', 'probe.target', 'it must be a text'],
    ['{"probe":{"portalCheck":true}}', 'probe.portalCheck', 'an http:// address, or false'],
    ['{"probe":{"portalCheck":"https://a.example/"}}', 'probe.portalCheck', 'an http:// address, or false'],
    ['{"probe":{"portalCheck":"http://a:b@c/"}}', 'probe.portalCheck', 'an http:// address, or false'],
    ['{"probe":{"often":true}}', 'probe.often', 'there is no such key'],
    ['{"local":"nas"}', 'local', 'it must be a list'],
    ['{"local":["nas","a b"]}', 'local.1', 'a host name'],
    ['{"straight":["10.0.0.0/99"]}', 'straight.0', 'a host name'],
    ['{"limits":{"connections":-1}}', 'limits.connections', 'at least 1'],
    ['{"limits":{"connections":0}}', 'limits.connections', 'at least 1'],
    ['{"limits":{"connections":5.5}}', 'limits.connections', 'a whole number'],
    ['{"limits":{"connections":1e999}}', 'limits.connections', 'a whole number'],
    ['{"limits":{"connections":"5"}}', 'limits.connections', 'a number'],
    ['{"limits":{"idleMs":2147483648}}', 'limits', '2147483647 ms at most'],
    ['{"limits":[]}', 'limits', 'it must be an object'],
    ['{"limits":{"connectoins":5}}', 'limits.connectoins', 'did you mean connections?'],
    ['{"limits":{"CONNECTIONS":5}}', 'limits.CONNECTIONS', 'did you mean connections?'],
    ['{"limits":{"nope":1}}', 'limits.nope', 'there is no such limit'],
    ['{"limits":{"constructor":1}}', 'limits.constructor', 'there is no such limit'],
    [`{"local":${JSON.stringify(Array(10_001).fill('a'))}}`, 'local', '10000 entries at most'],
    [`{"relay":"${'a'.repeat(2 ** 20)}"}`, '', 'it is longer than'],
  ];
  for (const [file, key, reason] of wrong) {
    it(`is refused as ${file.slice(0, 60)}, and the key named that is wrong`, () => {
      const error = errorOf(() =>
        parseConfig(file, { limits: ['connections', 'idleMs'] }),
      ) as ConfigInvalidError;
      expect(error).toMatchObject({ code: 'MANYPATH_CONFIG_INVALID', key });
      expect(error.message).toContain(key === '' ? 'the configuration is wrong: ' : ` at ${key}: `);
      expect(error.message).toContain(reason);
    });
  }

  it('changes no prototype', () => {
    const config = parseConfig('{"paths":{"__proto__":{"tier":"never"},"constructor":{"tier":"backup"}}}');
    expect(Object.getPrototypeOf(config.paths ?? {})).toBe(Object.prototype);
    expect(({} as { tier?: string }).tier).toBe(undefined);
  });

  it('is read or refused, whatever the JSON', () => {
    const key = fc.constantFrom(
      'relay',
      'listen',
      'paths',
      'local',
      'straight',
      'rules',
      'bypass',
      'probe',
      'limits',
      '__proto__',
      'x',
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.constantFrom('never', 1),
    );
    fc.assert(
      fc.property(fc.dictionary(key, value), file => {
        try {
          return typeof parseConfig(JSON.stringify(file)) === 'object';
        } catch (error) {
          return error instanceof ConfigInvalidError;
        }
      }),
      searchBriefly,
    );
  });
});
