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
      paths: { wlan0: 'primary', wwan0: { tier: 'backup', capMbit: 20 }, eth0: { capMbit: 0.5 }, lo: {} },
      local: ['nas', '*.corp.example', '10.0.0.0/8', '2001:db8::1'],
      straight: ['cdn.example'],
      limits: { connections: 100 },
    };
    expect(parseConfig(JSON.stringify(file))).toEqual({
      ...file,
      paths: {
        wlan0: { tier: 'primary' },
        wwan0: { tier: 'backup', capMbit: 20 },
        eth0: { capMbit: 0.5 },
        lo: {},
      },
    });
  });

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
    ['{"listen":"8118"}', 'listen', 'the port is missing'],
    ['{"paths":[]}', 'paths', 'it must be an object'],
    ['{"paths":{"wlan0":"fast"}}', 'paths.wlan0', '"primary", "secondary", "backup" or "never"'],
    ['{"paths":{"wlan0":7}}', 'paths.wlan0', 'it must be an object'],
    [
      '{"paths":{"wlan0":{"tier":"fast"}}}',
      'paths.wlan0.tier',
      '"primary", "secondary", "backup" or "never"',
    ],
    ['{"paths":{"wlan0":{"cap":1}}}', 'paths.wlan0.cap', 'there is no such key'],
    ['{"paths":{"wlan0":{"capMbit":0}}}', 'paths.wlan0.capMbit', 'more than 0'],
    ['{"paths":{"wlan0":{"capMbit":"20"}}}', 'paths.wlan0.capMbit', 'it must be a number'],
    ['{"paths":{"wlan0":{"capMbit":1e999}}}', 'paths.wlan0.capMbit', 'finite'],
    ['{"local":"nas"}', 'local', 'it must be a list'],
    ['{"local":["nas","a b"]}', 'local.1', 'a host name'],
    ['{"straight":["10.0.0.0/99"]}', 'straight.0', 'a host name'],
    ['{"limits":{"connections":-1}}', 'limits.connections', 'more than 0'],
    [`{"local":${JSON.stringify(Array(10_001).fill('a'))}}`, 'local', '10000 entries at most'],
    [`{"relay":"${'a'.repeat(2 ** 20)}"}`, '', 'it is longer than'],
  ];
  for (const [file, key, reason] of wrong) {
    it(`is refused as ${file.slice(0, 60)}, and the key named that is wrong`, () => {
      const error = errorOf(() => parseConfig(file)) as ConfigInvalidError;
      expect(error).toMatchObject({ code: 'MANYPATH_CONFIG_INVALID', key });
      expect(error.message).toContain(key === '' ? 'the configuration is wrong: ' : ` at ${key}: `);
      expect(error.message).toContain(reason);
    });
  }

  it('changes no prototype', () => {
    const config = parseConfig('{"paths":{"__proto__":{"tier":"never"}}}');
    expect(Object.getPrototypeOf(config.paths ?? {})).toBe(Object.prototype);
    expect(({} as { tier?: string }).tier).toBe(undefined);
  });

  it('is read or refused, whatever the JSON', () => {
    const key = fc.constantFrom('relay', 'listen', 'paths', 'local', 'straight', 'limits', '__proto__', 'x');
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
