import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AddressScope,
  addressScope,
  cidrContains,
  encodeHex,
  formatIpAddress,
  isPublicAddress,
  parseCidr,
  parseIpAddress,
} from '../src/index.ts';
import { searchBriefly } from './support/pieces.ts';

describe('an IP address', () => {
  const vectors: [string, string][] = [
    ['0.0.0.0', '00000000'],
    ['255.255.255.255', 'ffffffff'],
    ['192.0.2.1', 'c0000201'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['2001:DB8::8:800:200c:417a', '20010db80000000000080800200c417a'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::2:3:4:5:6:7:8', '00000002000300040005000600070008'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['64:ff9b::192.0.2.33', '0064ff9b0000000000000000c0000221'],
    ['1:2:3:4:5:6:192.0.2.1', '000100020003000400050006c0000201'],
    ['0000:0000:0000:0000:0000:ffff:255.255.255.255', '00000000000000000000ffffffffffff'],
  ];
  for (const [text, bytes] of vectors) {
    it(`is ${text}`, () => {
      const address = parseIpAddress(text);
      expect(address?.family).toBe(bytes.length === 8 ? 4 : 6);
      expect(encodeHex(address?.bytes ?? new Uint8Array())).toBe(bytes);
    });
  }

  const refused = [
    ...['', ' ', '1', '1.2', '1.2.3', '1.2.3.4.5', '1.2.3.', '.1.2.3', '1..2.3', '256.1.1.1', '1.2.3.04'],
    ...['0x7f.0.0.1', '0177.0.0.1', '2130706433', '127.1', '1.2.3.4 ', ' 1.2.3.4', '1.2.3.4\n', '-1.2.3.4'],
    ...[
      '1.2.3.1e1',
      '１.2.3.4',
      '1.2.3.4%eth0',
      ':',
      ':::',
      '::1::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      ':1:2:3:4:5:6:7',
    ],
    ...[
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:',
      '1:2:3:4::5:6:7:8',
      'g::',
      '12345::',
      '::1%lo',
      '[::1]',
      '::1 ',
    ],
    ...[
      '::1.2.3',
      '::1.2.3.256',
      '::01.2.3.4',
      '1.2.3.4::',
      '::1.2.3.4:5',
      '1:2:3:4:5:6:7:1.2.3.4',
      '::-1',
      '::0x1',
    ],
  ];
  for (const text of refused) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(parseIpAddress(text)).toBe(undefined);
    });
  }

  it('is one where Node says so, and no other', () => {
    const near = fc.string({ unit: fc.constantFrom(...'012459afg:.:.:'), maxLength: 46 });
    const changed = fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(45), fc.constantFrom('', ':', '.', '0', '::', 'f', '25'))
      .map(([text, at, what]) => text.slice(0, at) + what + text.slice(at + 1));
    fc.assert(
      fc.property(fc.oneof(near, changed, fc.ipV4(), fc.ipV6()), text => {
        expect(parseIpAddress(text)?.family ?? 0, text).toBe(isIP(text));
      }),
      searchBriefly,
    );
  });

  it('is written as RFC 5952 has it', () => {
    const written: [string, string][] = [
      ['2001:0db8:0:0:0:0:0002:1', '2001:db8::2:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:DB8::ABCD', '2001:db8::abcd'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['1:0:0:0:0:0:0:0', '1::'],
      ['::ffff:c000:201', '::ffff:192.0.2.1'],
      ['192.0.2.1', '192.0.2.1'],
    ];
    for (const [text, canonical] of written) {
      expect(formatIpAddress(parseIpAddress(text)?.bytes ?? new Uint8Array())).toBe(canonical);
    }
  });

  it('is written as URLs have it, v4-mapped ones aside, and read back', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc
        .array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
        .map(values => Uint8Array.from(values)),
    );
    fc.assert(
      fc.property(bytes, address => {
        const text = formatIpAddress(address);
        expect(parseIpAddress(text)?.bytes).toEqual(address);
        if (!text.includes('.')) expect(new URL(`http://[${text}]`).hostname).toBe(`[${text}]`);
      }),
      searchBriefly,
    );
  });
});

describe('the scope of an address', () => {
  const scopes: Record<AddressScope, string[]> = {
    loopback: [
      '127.0.0.1',
      '127.255.255.254',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '64:ff9b::127.0.0.1',
    ],
    'link-local': [
      '169.254.0.1',
      '169.254.255.255',
      'fe80::1',
      'febf::1',
      'fe80::1%eth0',
      '::ffff:169.254.1.1',
    ],
    private: [
      ...[
        '10.0.0.1',
        '10.255.255.255',
        '172.16.0.1',
        '172.31.255.255',
        '192.168.0.1',
        '100.64.0.1',
        '100.127.255.255',
      ],
      ...[
        'fc00::1',
        'fdff::1',
        'fec0::1',
        'feff::1',
        '::ffff:10.0.0.1',
        '64:ff9b::192.168.1.1',
        '2002:a00:1::1',
      ],
      ...['64:ff9b:1::8.8.8.8', '64:ff9b:1:a00:0:100::'],
    ],
    metadata: [
      ...[
        '169.254.169.254',
        '169.254.170.2',
        '169.254.170.23',
        '169.254.42.42',
        '169.254.0.23',
        '100.100.100.200',
      ],
      ...[
        '192.0.0.192',
        '168.63.129.16',
        'fd00:ec2::254',
        'fd00:ec2::23',
        'fd20:ce::254',
        'fd00:c1::a9fe:a9fe',
      ],
      ...['fd00:42::42', 'fd00:a9fe:a9fe::1', 'fd00:100::100:200', 'fe80::a9fe:a9fe', 'fe80::a9fe:a9fe%eth0'],
      ...[
        '::ffff:169.254.169.254',
        '::ffff:a9fe:a9fe',
        '64:ff9b::a9fe:a9fe',
        '2002:a9fe:a9fe::',
        '::169.254.169.254',
      ],
      ...['::ffff:0:169.254.169.254', '2001:0:1:2:3:4:5601:5601'],
    ],
    unspecified: ['0.0.0.0', '0.1.2.3', '::', '::ffff:0.0.0.0', '2002::'],
    multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1', '::ffff:224.0.0.1'],
    reserved: [
      ...[
        '192.0.0.1',
        '192.0.2.1',
        '192.88.99.1',
        '198.18.0.1',
        '198.19.255.255',
        '198.51.100.1',
        '203.0.113.1',
      ],
      ...[
        '240.0.0.1',
        '255.255.255.255',
        '2001:db8::1',
        '3fff::1',
        '3fff:fff::1',
        '2001:2::1',
        '100::1',
        '4000::1',
      ],
      ...['5f00::1', '64:ff9b:2::1', '2002:c000:201::', '::ffff:203.0.113.1', '1::'],
      ...['', 'localhost', 'example.org', '127.1', '0x7f000001', '1.2.3', '[::1]', '%'],
    ],
    public: [
      ...[
        '1.1.1.1',
        '8.8.8.8',
        '9.255.255.255',
        '11.0.0.0',
        '100.63.255.255',
        '100.128.0.0',
        '126.255.255.255',
      ],
      ...[
        '128.0.0.0',
        '169.253.255.255',
        '169.255.0.0',
        '172.15.255.255',
        '172.32.0.0',
        '192.0.1.0',
        '192.167.0.1',
      ],
      ...[
        '192.169.0.1',
        '198.17.255.255',
        '198.20.0.0',
        '223.255.255.255',
        '168.63.129.15',
        '2606:4700::1111',
      ],
      ...[
        '2a00:1450::1',
        '2001:4860:4860::8888',
        '3ffe::1',
        '::ffff:8.8.8.8',
        '64:ff9b::8.8.8.8',
        '2002:808:808::1',
      ],
    ],
  };
  for (const [scope, addresses] of Object.entries(scopes)) {
    it(`is ${scope} for ${addresses.length} of them`, () => {
      for (const address of addresses) {
        expect(addressScope(address), address).toBe(scope);
        expect(isPublicAddress(address)).toBe(scope === 'public');
      }
    });
  }

  it('of an IPv4 address is the same in every IPv6 form that carries it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.constantFrom(...scopes.metadata.slice(0, 8))), text => {
        const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
        const group = (high: number, low: number) => ((high << 8) | low).toString(16);
        const flipped = `${group(a ^ 255, b ^ 255)}:${group(c ^ 255, d ^ 255)}`;
        const forms = [
          `::ffff:${text}`,
          `::ffff:0:${text}`,
          `64:ff9b::${text}`,
          `2002:${group(a, b)}:${group(c, d)}::5`,
          `2001:0:4136:e378:8000:63bf:${flipped}`,
        ];
        for (const form of forms) expect(addressScope(form), form).toBe(addressScope(text));
      }),
      searchBriefly,
    );
  });

  it('is public for nothing that the IANA registries keep back', () => {
    const networks = [
      ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
      ...[
        '192.0.0.0/24',
        '192.0.2.0/24',
        '192.168.0.0/16',
        '198.18.0.0/15',
        '198.51.100.0/24',
        '203.0.113.0/24',
      ],
      ...['224.0.0.0/4', '240.0.0.0/4', '::/128', '::1/128', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64'],
      ...['2001:2::/48', '2001:db8::/32', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...networks),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (text, random) => {
          const network = parseCidr(text);
          if (network === undefined) throw new Error(`${text} cannot be read`);
          const inside = network.bytes.map((byte, at) => {
            const fixed = 0xff00 >> Math.min(8, Math.max(0, network.prefixLength - at * 8));
            return (byte & fixed) | ((random[at] ?? 0) & ~fixed);
          });
          expect(cidrContains(network, { family: network.family, bytes: inside })).toBe(true);
          expect(isPublicAddress(formatIpAddress(inside)), formatIpAddress(inside)).toBe(false);
        },
      ),
      searchBriefly,
    );
  });
});

describe('a network', () => {
  it('is an address with the length of its prefix, or an address alone', () => {
    expect(parseCidr('10.0.0.0/8')).toMatchObject({ family: 4, prefixLength: 8 });
    expect(parseCidr('10.0.0.1')).toMatchObject({ family: 4, prefixLength: 32 });
    expect(parseCidr('2001:db8::/32')).toMatchObject({ family: 6, prefixLength: 32 });
    expect(parseCidr('::1')).toMatchObject({ family: 6, prefixLength: 128 });
    for (const text of [
      '',
      '/',
      '/8',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '::/129',
      '10/8',
    ]) {
      expect(parseCidr(text), text).toBe(undefined);
    }
  });

  it('contains the addresses that Node says it contains', () => {
    const inRange = fc.oneof(
      fc.tuple(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 })),
    );
    fc.assert(
      fc.property(inRange, fc.boolean(), ([base, other, prefix], near) => {
        const family = base.includes(':') ? 'ipv6' : 'ipv4';
        const network = parseCidr(`${base}/${prefix}`);
        const address = parseIpAddress(near ? base : other);
        if (network === undefined || address === undefined) throw new Error('it cannot be read');
        // One changed bit, just inside or just outside the prefix.
        const bit = Math.min(prefix, address.bytes.length * 8 - 1);
        address.bytes[bit >> 3] = (address.bytes[bit >> 3] ?? 0) ^ (0x80 >> (bit & 7));
        const list = new BlockList();
        list.addSubnet(formatIpAddress(network.bytes), prefix, family);
        expect(cidrContains(network, address)).toBe(list.check(formatIpAddress(address.bytes), family));
      }),
      searchBriefly,
    );
  });

  it('of one family contains nothing of the other', () => {
    const all4 = parseCidr('0.0.0.0/0');
    const address6 = parseIpAddress('::ffff:10.0.0.1');
    expect(all4 && address6 && cidrContains(all4, address6)).toBe(false);
  });
});
