import { expect, it } from 'vitest';
import { SimulatedClock } from '../src/clock.ts';
import { CountedLog } from '../src/counted-log.ts';

function setUp() {
  const clock = new SimulatedClock();
  const told: object[] = [];
  const logger = { debug() {}, info() {}, warn: (fields: object) => void told.push(fields) };
  const log = new CountedLog({
    logger,
    message: 'it happened',
    fields: ['address', 'addresses'],
    everyMs: 60_000,
    most: 3,
    clock,
  });
  return { clock, log, told };
}

it('tells at once, then once a minute as long as it goes on', () => {
  const { clock, log, told } = setUp();
  for (let second = 0; second < 150; second++) {
    log.note('192.0.2.1');
    clock.advance(1000);
  }
  expect(told).toEqual([1, 59, 60].map(times => ({ times, address: '192.0.2.1', addresses: 1 })));
  clock.advance(60_000);
  expect(told.at(-1)).toMatchObject({ times: 30 });
  clock.advance(600_000);
  expect(told).toHaveLength(4);
  log.note('192.0.2.2');
  expect(told.at(-1)).toEqual({ times: 1, address: '192.0.2.2', addresses: 1 });
});

it('keeps no more addresses than it may', () => {
  const { clock, log, told } = setUp();
  for (let host = 0; host < 100; host++) log.note(`192.0.2.${host}`);
  clock.advance(60_000);
  expect(told.at(-1)).toEqual({ times: 99, address: '192.0.2.1', addresses: 3 });
});

it('tells at the end what was only counted', () => {
  const { clock, log, told } = setUp();
  log.note('192.0.2.1');
  log.close();
  expect(told).toHaveLength(1);
  log.note('192.0.2.1');
  log.note('192.0.2.1');
  log.close();
  expect(told.at(-1)).toMatchObject({ times: 1 });
  expect(clock.pending).toBe(0);
});
