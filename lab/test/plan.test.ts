import { isIP } from 'node:net';
import { expect, test } from 'vitest';
import { completeShape, hostsFile, linkSubnet, namespacesOf, plainShape, serverSubnet } from '../src/plan.ts';
import { newRecord } from '../src/record.ts';
import { shapeLines } from '../src/shaping.ts';

test('no two subnets share an address', () => {
  const subnets = [...Array.from({ length: 100 }, (_, index) => linkSubnet(index + 1))];
  subnets.push(serverSubnet('relay'), serverSubnet('origin'), serverSubnet('originMptcp'));
  const all = subnets.flatMap(({ gateway, gateway6, address, address6 }) => [
    gateway,
    gateway6,
    address,
    address6,
  ]);
  expect(new Set(all).size).toBe(all.length);
  expect(all.every(address => isIP(address) > 0)).toBe(true);
});

test('the hosts file names each server by both families', () => {
  const lines = hostsFile().trim().split('\n');
  for (const name of ['relay.lab', 'origin.lab', 'origin-mptcp.lab']) {
    const families = lines
      .filter(line => line.endsWith(` ${name}`))
      .map(line => isIP(line.split(' ')[0] ?? ''));
    expect(families).toEqual([4, 6]);
  }
});

test('namespaces are named after the lab', () => {
  expect(Object.values(namespacesOf('x'))).toEqual([
    'mpx-client',
    'mpx-router',
    'mpx-relay',
    'mpx-origin',
    'mpx-origin-mptcp',
  ]);
});

test('upload follows download unless it was set apart', () => {
  const even = completeShape({ rateMbit: 30 }, plainShape);
  expect(even).toEqual({ rateMbit: 30, uploadMbit: 30, delayMs: 0, jitterMs: 0, lossPercent: 0 });
  const uneven = completeShape({ uploadMbit: 5 }, even);
  expect(completeShape({ rateMbit: 50 }, uneven)).toMatchObject({ rateMbit: 50, uploadMbit: 5 });
  expect(completeShape({ rateMbit: null }, even)).toMatchObject({ rateMbit: null, uploadMbit: null });
});

test.each([
  { rateMbit: 0 },
  { uploadMbit: -3 },
  { delayMs: -1 },
  { jitterMs: Number.POSITIVE_INFINITY },
  { lossPercent: 101 },
])('a shape that cannot be is refused: %j', shape => {
  expect(() => completeShape(shape, plainShape)).toThrow(
    expect.objectContaining({ code: 'MANYPATH_LAB_OPTION_INVALID' }),
  );
});

test('two links may not share a name or a device', () => {
  const taken = expect.objectContaining({ code: 'MANYPATH_LAB_NAME_TAKEN' });
  expect(() => newRecord({ links: [{ name: 'a' }, { name: 'a' }] })).toThrow(taken);
  expect(() => newRecord({ links: [{ name: 'a' }, { name: 'b', device: 'a' }] })).toThrow(taken);
});

test.each([
  [0.1, 'tbf rate 100000bit burst 16384 limit 46384'],
  [30, 'tbf rate 30000000bit burst 16384 limit 203884'],
  [500, 'tbf rate 500000000bit burst 125000 limit 3250000'],
  [10_000, 'tbf rate 10000000000bit burst 262144 limit 62762144'],
])('a rate of %d Mbit/s has a queue of 50 ms and a burst that fits', (rateMbit, line) => {
  const direction = { rateMbit, delayMs: 0, jitterMs: 0, lossPercent: 0 };
  expect(shapeLines('a', direction, 'netem')).toEqual([`qdisc replace dev a root handle 10: ${line}`]);
});

test('with netem the delay comes before the bottleneck; with a wire the bottleneck is all', () => {
  const direction = { rateMbit: 30, delayMs: 20, jitterMs: 2, lossPercent: 1.5 };
  expect(shapeLines('a', direction, 'netem')).toEqual([
    'qdisc add dev a root handle 1: netem limit 100000 delay 20ms 2ms loss random 1.5%',
    'qdisc add dev a parent 1:1 handle 20: tbf rate 30000000bit burst 16384 limit 203884',
  ]);
  expect(shapeLines('a', direction, 'wire')).toHaveLength(1);
  expect(shapeLines('a', { ...direction, rateMbit: null }, 'wire')).toEqual([]);
});
