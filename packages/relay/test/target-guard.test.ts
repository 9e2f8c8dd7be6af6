import { connect } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { PortRefusedError, TargetGuard, TargetRefusedError } from '../src/target-guard.ts';
import {
  authorization,
  connectHttp1,
  connectHttp2,
  http2To,
  readText,
  requestHttp2,
} from './support/client.ts';
import { echoOrigin, httpOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

const inward = [
  '127.0.0.1',
  '127.8.9.10',
  '0.0.0.0',
  '10.1.2.3',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '100.100.100.200',
  '169.254.1.1',
  '169.254.169.254',
  '192.0.0.192',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:a9fe:a9fe',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b::a9fe:a9fe',
  '2002:7f00:1::',
  '2002:c0a8:101::1',
  'fe80::1',
  'fc00::1',
  'fd12:3456::1',
  'fd00:ec2::254',
  'fec0::1',
  'ff02::1',
];
const outward = ['1.1.1.1', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:1.1.1.1'];

describe('the guard', () => {
  const guard = new TargetGuard({ allowPrivate: false, refusedPorts: [25], ownAddresses: () => [] });

  for (const address of inward) {
    it(`refuses ${address}`, () => expect(guard.refusal(address)).toBeInstanceOf(TargetRefusedError));
  }

  for (const address of outward) {
    it(`lets ${address} pass`, () => expect(guard.refusal(address)).toBeUndefined());
  }

  it('refuses what is no address', () => {
    for (const text of ['', 'localhost', '0x7f.1', '127.1', '2130706433', '017700000001']) {
      expect(guard.refusal(text)).toBeInstanceOf(TargetRefusedError);
    }
  });

  it('refuses public addresses of its own host, in every form', () => {
    const own = new TargetGuard({
      allowPrivate: false,
      refusedPorts: [],
      ownAddresses: () => ['8.8.4.4', '2606:4700:0::1'],
    });
    for (const address of ['8.8.4.4', '::ffff:8.8.4.4', '2606:4700::1', '2606:4700:0:0:0:0:0:1']) {
      expect(own.refusal(address)?.message).toContain('its own host');
    }
    expect(own.refusal('8.8.8.8')).toBeUndefined();
  });

  it('refuses ports that open proxies are abused for', () => {
    expect(() => guard.checkPort({ host: 'mail.example', port: 25 })).toThrow(PortRefusedError);
    expect(() => guard.checkPort({ host: 'mail.example', port: 587 })).not.toThrow();
  });

  it('is asked for the address that connect dials, and no packet leaves', async () => {
    const attempt = connect({ host: '127.0.0.1', port: 9, filterAddress: guard.refusal });
    await expect(attempt).rejects.toMatchObject({ code: 'MPTCP_ADDRESS_REFUSED' });
  });
});

describe('a relay without allowPrivate', () => {
  const lookup = (address: string) => async () => [{ address, family: address.includes(':') ? 6 : 4 }];
  const literals = ['127.0.0.1:80', '169.254.169.254:80', '10.0.0.1:80', '[::1]:80', '[fe80::1]:80'];

  for (const target of literals) {
    it(`answers CONNECT ${target} with 403`, async () => {
      const { pairing } = await testRelay({ allowPrivate: false });
      const http1 = await connectHttp1(pairing, target);
      const http2 = await connectHttp2(await http2To(pairing), pairing, target);
      expect([http1.status, http2.status]).toEqual([403, 403]);
      expect(await readText(http1.socket)).toContain('[MANYPATH_RELAY_TARGET_REFUSED]');
      expect(await readText(http2.stream)).toContain('[MANYPATH_RELAY_TARGET_REFUSED]');
      expect(http2.headers['proxy-status']).toContain('MANYPATH_RELAY_TARGET_REFUSED');
    });
  }

  for (const address of ['127.0.0.1', '169.254.169.254', '192.168.0.1', '::1', 'fd00::1']) {
    it(`answers 403 to a name that resolves to ${address}`, async () => {
      const { pairing } = await testRelay({ allowPrivate: false, lookup: lookup(address) });
      const { status } = await connectHttp1(pairing, 'innocent.example:80');
      expect(status).toBe(403);
      expect((await connectHttp2(await http2To(pairing), pairing, 'innocent.example:80')).status).toBe(403);
    });
  }

  // These are names for us, but the C library reads them as 127.0.0.1.
  for (const trick of ['localhost', '2130706433', '0x7f000001', '0177.0.0.1', '127.1', '0x7f.1', '0']) {
    it(`answers 403 to ${trick}, as the system resolves it`, async () => {
      const { pairing } = await testRelay({ allowPrivate: false });
      expect((await connectHttp1(pairing, `${trick}:80`)).status).toBe(403);
    });
  }

  it('is not fooled by a name that means another address the second time', async () => {
    const answers = ['1.1.1.1', '127.0.0.1'];
    const asked: string[] = [];
    const { pairing } = await testRelay({
      allowPrivate: false,
      lookup: async host => {
        asked.push(host);
        return [{ address: answers[asked.length % 2] ?? '', family: 4 }];
      },
    });
    expect((await connectHttp1(pairing, 'rebinding.example:80')).status).toBe(403);
    // Dialling uses the one answer that was looked at: it is not asked for again.
    expect(asked).toEqual(['rebinding.example']);
  });

  it('answers plain requests with 403 alike', async () => {
    let asked = 0;
    const origin = await httpOrigin((_request, response) => {
      asked += 1;
      response.end();
    });
    const { pairing } = await testRelay({ allowPrivate: false });
    const { status } = await requestHttp2(await http2To(pairing), {
      ':method': 'GET',
      ':scheme': 'http',
      ':authority': origin,
      ':path': '/',
      'proxy-authorization': authorization(pairing),
    });
    expect([status, asked]).toEqual([403, 0]);
  });

  it('answers 403 to port 25 of any host', async () => {
    const { pairing } = await testRelay({ lookup: lookup('127.0.0.1') });
    const { status, socket } = await connectHttp1(pairing, 'mail.example:25');
    expect(status).toBe(403);
    expect(await readText(socket)).toContain('[MANYPATH_RELAY_PORT_REFUSED]');
  });
});

it('dials loopback with allowPrivate', async () => {
  const { pairing } = await testRelay({ allowPrivate: true });
  expect((await connectHttp1(pairing, await echoOrigin())).status).toBe(200);
});
