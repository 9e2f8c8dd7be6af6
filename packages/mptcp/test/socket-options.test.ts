import * as net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { getSocketOption, type SocketOption, setSocketOption } from '../src/index.ts';
import { needsMptcp } from './support/requirements.ts';
import { connectedPair, type Pair } from './support/sockets.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

async function pairOf(...options: Parameters<typeof connectedPair>): Promise<Pair> {
  const pair = await connectedPair(...options);
  cleanup.push(() => pair[Symbol.asyncDispose]());
  return pair;
}

const numbers: [SocketOption, number, number][] = [
  ['sendBuffer', 40_000, 80_000],
  ['receiveBuffer', 40_000, 80_000],
  ['receiveLowWater', 4096, 4096],
  ['notSentLowWater', 16_384, 16_384],
  ['priority', 3, 3],
  ['cork', 1, 1],
];

describe.each([true, false])('socket options, mptcp: %s', mptcp => {
  needsMptcp();

  test.each(numbers)('%s is set to %i', async (option, value, reported) => {
    const { client } = await pairOf({ mptcp });
    expect(getSocketOption(client, option)).not.toBe(reported);
    setSocketOption(client, option, value);
    expect(getSocketOption(client, option)).toBe(reported);
  });

  test('congestion is set by name', async () => {
    const { client, accepted } = await pairOf({ mptcp });
    setSocketOption(client, 'congestion', 'reno');
    expect(getSocketOption(client, 'congestion')).toBe('reno');
    expect(getSocketOption(accepted, 'congestion')).not.toBe('reno');
  });

  test('the type of service is set on IPv4', async () => {
    const { client } = await pairOf({ mptcp });
    setSocketOption(client, 'typeOfService', 0x20);
    expect(getSocketOption(client, 'typeOfService')).toBe(0x20);
  });
});

describe('socket options', () => {
  needsMptcp();

  test('that MPTCP does not carry are refused by name', async () => {
    const { client } = await pairOf({ host: '::1' }, { host: '::1' });
    expect(() => setSocketOption(client, 'typeOfService', 0x20)).toThrow(
      expect.objectContaining({ code: 'MPTCP_OPTION_FAILED', errnoName: expect.stringMatching(/^E/) }),
    );
  });

  test('with values that cannot be are refused', async () => {
    const { client } = await pairOf();
    expect(() => setSocketOption(client, 'congestion', 'telepathy')).toThrow(
      expect.objectContaining({ code: 'MPTCP_OPTION_FAILED', errnoName: 'ENOENT' }),
    );
    expect(() => setSocketOption(client, 'mark', 1.5)).toThrow(
      expect.objectContaining({ code: 'MPTCP_ARGUMENT_INVALID' }),
    );
    expect(() => setSocketOption(client, 'colour' as SocketOption, 1)).toThrow(
      expect.objectContaining({ code: 'MPTCP_ARGUMENT_INVALID' }),
    );
  });

  test('are those of open sockets', () => {
    expect(() => setSocketOption(new net.Socket(), 'cork', 1)).toThrow(
      expect.objectContaining({ code: 'MPTCP_NO_DESCRIPTOR' }),
    );
  });
});
