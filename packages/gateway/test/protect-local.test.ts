import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { allOf, connectStatus, curl, dial, tunnelTo, urlOf } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { startGateway } from './support/scope.ts';

/** A resolver in which every name leads to one address. */
const leadingTo = (address: string) => async () => [{ address, family: address.includes(':') ? 6 : 4 }];

const ownAddress = Object.values(networkInterfaces())
  .flatMap(list => list ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

const ownIpv6 = Object.values(networkInterfaces())
  .flatMap(list => list ?? [])
  .find(
    ({ family, address }) => family === 'IPv6' && address !== '::1' && !address.startsWith('fe80'),
  )?.address;

describe('a gateway that protects the local network', () => {
  it.each([
    '127.0.0.1',
    '127.1.2.3',
    '::1',
    '0.0.0.0',
    '169.254.169.254',
    'fe80::1',
    '::ffff:127.0.0.1',
    '0.1.2.3',
    '10.200.5.5',
    '172.16.0.9',
    '192.168.7.7',
    '100.64.0.1',
    '198.18.0.1',
    '240.0.0.1',
    '255.255.255.255',
    'fd12::1',
    'fec0::1',
    '::ffff:10.0.0.1',
    '::ffff:0:10.0.0.1',
    '::10.0.0.1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    '2002:a00:1::1',
    '2001:0:1:2:3:4:f5ff:fffe',
    ...(ownAddress === undefined ? [] : [ownAddress]),
  ])('refuses a name that leads to %s', async address => {
    const gateway = await startGateway({ protectLocal: true, lookup: leadingTo(address) });
    const { stdout } = await curl('-i', '-x', urlOf(gateway), 'http://rebound.example:9/');
    expect(stdout).toMatch(/^HTTP\/1.1 403 /);
    expect(stdout).toContain('MANYPATH_LOCAL_TARGET');
    expect(await connectStatus(gateway.proxy, 'rebound.example:9')).toBe('403');
    const socks = await dial(gateway.proxy);
    socks.write(Buffer.from([5, 1, 0, 5, 1, 0, 3, 1, 97, 0, 9]));
    expect((await allOf(socks)).subarray(2, 4).toString('hex')).toBe('0502');
  });

  it('refuses the addresses themselves too', async () => {
    const gateway = await startGateway({ protectLocal: true });
    expect(await connectStatus(gateway.proxy, '127.0.0.1:9')).toBe('403');
    expect(await connectStatus(gateway.proxy, '[::1]:9')).toBe('403');
    expect(await connectStatus(gateway.proxy, 'localhost:9')).toBe('403');
  });

  it('lets names of the user through', async () => {
    const origin = await echoOrigin();
    const gateway = await startGateway({
      protectLocal: true,
      localNames: ['*.corp.example'],
      lookup: leadingTo('127.0.0.1'),
    });
    const socket = await tunnelTo(gateway.proxy, { host: 'wiki.corp.example', port: origin.port });
    socket.end('hello');
    expect((await allOf(socket)).toString()).toBe('hello');
    expect(await connectStatus(gateway.proxy, `corp.example:${origin.port}`)).toBe('403');
  });

  it.skipIf(ownIpv6 === undefined)(
    'refuses a public address that a translator makes a private one',
    async () => {
      const lookup = async (host: string) => [
        { address: host === 'ipv4only.arpa' ? '2606:4700:64::c000:aa' : '2606:4700:64::a00:1', family: 6 },
      ];
      const gateway = await startGateway({ protectLocal: true, lookup });
      expect(await connectStatus(gateway.proxy, 'rebound.example:9')).toBe('403');
    },
  );
});

describe('a gateway for any program', () => {
  it.each(['127.0.0.1', '127.1.2.3', '::1', '0.0.0.0', '::', '::ffff:7f00:1', '169.254.169.254', 'fe80::1'])(
    'refuses a name of somebody else that leads to %s',
    async address => {
      const gateway = await startGateway({ lookup: leadingTo(address) });
      expect(await connectStatus(gateway.proxy, 'rebound.example:9')).toBe('403');
      const { stdout } = await curl('-i', '-x', urlOf(gateway), 'http://rebound.example:9/');
      expect(stdout).toContain('MANYPATH_LOCAL_TARGET');
    },
  );

  it.each(['127.0.0.1', 'localhost', 'sub.localhost'])(
    'connects to %s, which nobody can mistake',
    async host => {
      const origin = await echoOrigin();
      const gateway = await startGateway(host === '127.0.0.1' ? {} : { lookup: leadingTo('127.0.0.1') });
      await tunnelTo(gateway.proxy, { host, port: origin.port });
    },
  );

  it('lets names of the user through', async () => {
    const origin = await echoOrigin();
    const gateway = await startGateway({ localNames: ['own.example'], lookup: leadingTo('127.0.0.1') });
    await tunnelTo(gateway.proxy, { host: 'own.example', port: origin.port });
  });
});
