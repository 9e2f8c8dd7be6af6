import { dnsResponseCodes, dnsTypes, parseIpAddress } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { askServer } from '../src/names/ask-server.ts';
import { type Answering, startNameServer } from './support/name-server.ts';

const v4 = parseIpAddress('192.0.2.7')?.bytes ?? new Uint8Array();
const v6 = parseIpAddress('2001:db8::7')?.bytes ?? new Uint8Array();
const never = new AbortController().signal;

const both: Answering = ({ type }) => ({
  code: dnsResponseCodes.success,
  addresses: [type === dnsTypes.aaaa ? v6 : v4],
  ttlSeconds: type === dnsTypes.aaaa ? 60 : 90,
});

function ask(port: number, name = 'example.org', signal: AbortSignal = never) {
  return askServer({ address: '127.0.0.1', port }, name, [4, 6], signal);
}

describe('a name server', () => {
  it('is asked for both families at once, and IPv6 comes first', async () => {
    await using server = await startNameServer(both);
    expect(await ask(server.port)).toEqual({
      addresses: [
        { address: '2001:db8::7', family: 6 },
        { address: '192.0.2.7', family: 4 },
      ],
      ttlSeconds: 60,
    });
    expect(server.asked.sort()).toEqual(['1 example.org', '28 example.org']);
  });

  it('is not waited for when it has answered for one family', async () => {
    await using server = await startNameServer(query =>
      query.type === dnsTypes.aaaa ? undefined : both(query),
    );
    const began = performance.now();
    const { addresses, ttlSeconds } = await ask(server.port);
    expect(addresses).toEqual([{ address: '192.0.2.7', family: 4 }]);
    expect(ttlSeconds).toBe(5);
    expect(performance.now() - began).toBeLessThan(500);
  });

  it('is asked over TCP for what does not fit into a datagram', async () => {
    await using server = await startNameServer(both, { truncates: true });
    expect((await ask(server.port)).addresses).toHaveLength(2);
    expect(server.asked.filter(asked => asked.startsWith('tcp'))).toHaveLength(2);
  });

  it('that does not know EDNS is asked without', async () => {
    await using server = await startNameServer(both, { refusesEdns: true });
    expect((await ask(server.port)).addresses).toHaveLength(2);
    expect(server.asked).toHaveLength(4);
  });

  it('says that there is no such name', async () => {
    await using server = await startNameServer(() => ({ code: dnsResponseCodes.noSuchName }));
    await expect(ask(server.port)).rejects.toMatchObject({ code: 'MANYPATH_NAME_UNKNOWN' });
  });

  it('says that it failed, which is something else', async () => {
    await using server = await startNameServer(() => ({ code: dnsResponseCodes.serverFailure }));
    await expect(ask(server.port)).rejects.toMatchObject({ code: 'MANYPATH_NAME_LOOKUP_FAILED' });
  });

  it('that is not there is noticed at once', async () => {
    const { port } = await startNameServer(both).then(async server => {
      await server[Symbol.asyncDispose]();
      return server;
    });
    const began = performance.now();
    await expect(ask(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(performance.now() - began).toBeLessThan(500);
  });

  it('is not waited for any more when that is given up', async () => {
    await using server = await startNameServer(() => undefined);
    const giveUp = new AbortController();
    const asked = ask(server.port, 'example.org', giveUp.signal);
    giveUp.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
  });

  it('is not asked for what is no name', async () => {
    await using server = await startNameServer(both);
    await expect(ask(server.port, 'a..b')).rejects.toMatchObject({ code: 'MANYPATH_NAME_LOOKUP_FAILED' });
    await expect(ask(server.port, `${'a'.repeat(64)}.org`)).rejects.toMatchObject({
      code: 'MANYPATH_NAME_LOOKUP_FAILED',
    });
    expect(server.asked).toEqual([]);
  });
});
