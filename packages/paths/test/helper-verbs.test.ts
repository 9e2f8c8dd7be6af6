import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pathsOf } from '../src/rights/remote-keeper.ts';
import { readVerb } from '../src/rights/verbs.ts';

const end = { address: '192.0.2.1', port: 443 };
const subflow = { local: { address: '10.0.0.2', port: 40_000 }, remote: end };

const good = [
  { verb: 'hello', version: 1 },
  { verb: 'keep', paths: [{ name: 'wlan0', endpoint: 'active' }] },
  { verb: 'open-window' },
  { verb: 'close-window' },
  {
    verb: 'create-subflow',
    token: 7,
    localAddress: 'fd00::2',
    localId: 0,
    device: 'wwan0',
    remote: end,
    backup: true,
  },
  { verb: 'destroy-subflow', token: 0xffff_ffff, subflow },
  { verb: 'remove-address', token: 1, localId: 255 },
  { verb: 'set-backup', token: 1, subflow, backup: false },
];

describe('a request to the helper', () => {
  for (const request of good) {
    it(`is read: ${request.verb}`, () => {
      const { version: _, ...expected } = request as { version?: number };
      expect(readVerb({ ...request, id: 3, unknown: 'left out' })).toEqual(expected);
    });
  }

  const bad: [string, unknown][] = [
    ['that is no object', 'keep'],
    ['that is a list', [{ verb: 'hello', version: 1 }]],
    ['without a verb', { version: 1 }],
    ['with another verb', { verb: 'run', command: 'id' }],
    ['of another version', { verb: 'hello', version: 2 }],
    ['that inherits its verb', Object.create({ verb: 'open-window' })],
    ['with a device that is a path', { ...good[4], device: '../all' }],
    ['with a device that is too long', { ...good[4], device: 'a'.repeat(16) }],
    ['with an address that is a name', { ...good[4], localAddress: 'localhost' }],
    ['with a port of 0', { ...good[5], subflow: { ...subflow, remote: { ...end, port: 0 } } }],
    ['with a token of 0', { ...good[6], token: 0 }],
    ['with a token that is too large', { ...good[6], token: 2 ** 32 }],
    ['with a token that is a text', { ...good[6], token: '1' }],
    ['with a half id', { ...good[6], localId: 1.5 }],
    ['with an id that is too large', { ...good[6], localId: 256 }],
    ['with a flag that is a number', { ...good[7], backup: 1 }],
    ['with half a subflow', { ...good[7], subflow: { local: end } }],
    ['with too many paths', { verb: 'keep', paths: Array(17).fill({ name: 'a', endpoint: 'none' }) }],
    ['with an endpoint of its own kind', { verb: 'keep', paths: [{ name: 'a', endpoint: 'signal' }] }],
  ];
  for (const [what, request] of bad) {
    it(`is refused ${what}`, () => {
      expect(() => readVerb(request)).toThrow(expect.objectContaining({ code: 'MANYPATH_HELPER_REFUSED' }));
    });
  }

  it('is either read or refused, whatever it is', () => {
    const field = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(...good.flatMap(request => Object.values(request))),
    );
    const anything = fc.oneof(
      fc.jsonValue(),
      fc
        .constantFrom(...good)
        .chain(request =>
          fc
            .dictionary(fc.constantFrom(...Object.keys(request)), field)
            .map(changes => ({ ...request, ...changes })),
        ),
    );
    fc.assert(
      fc.property(anything, message => {
        try {
          const { verb } = readVerb(message);
          expect(good.map(request => request.verb)).toContain(verb);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MANYPATH_HELPER_REFUSED' });
        }
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
    );
  });
});

describe('settings', () => {
  it('are told to the helper as paths, with what becomes of their endpoints', () => {
    const route = {
      type: 'route',
      family: 4,
      table: 77_002,
      destination: null,
      gateway: '10.0.0.1',
      index: 2,
      source: '10.0.0.2',
    } as const;
    const endpoint = { type: 'endpoint', address: '10.0.0.2', family: 4, index: 2 } as const;
    expect(
      pathsOf([
        { ...route, device: 'a' },
        { ...route, device: 'b' },
        { ...route, device: 'c' },
        { ...endpoint, device: 'a' },
        { ...endpoint, device: 'b', backup: true },
      ]),
    ).toEqual([
      { name: 'a', endpoint: 'active' },
      { name: 'b', endpoint: 'backup' },
      { name: 'c', endpoint: 'none' },
    ]);
  });
});
