import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAddress } from '../../src/netlink/addresses.ts';
import { Attributes, AttributeWriter, splitHead } from '../../src/netlink/attributes.ts';
import { decodeDiagSocket, decodeMptcpDiag, decodeSubflowDiag } from '../../src/netlink/diag-codec.ts';
import { decodeEndpoint } from '../../src/netlink/endpoints.ts';
import { NetlinkMalformedError } from '../../src/netlink/errors.ts';
import { decodeFamily } from '../../src/netlink/generic-family.ts';
import { decodeLink } from '../../src/netlink/links.ts';
import { decodePathManagerEvent } from '../../src/netlink/path-manager-events.ts';
import { routeEventDecoder } from '../../src/netlink/route-events.ts';
import { decodeRouteAnswer } from '../../src/netlink/route-lookup.ts';
import { decodeRoute } from '../../src/netlink/routes.ts';
import { decodeRule } from '../../src/netlink/rules.ts';
import { brief, hex } from './bytes.ts';

/** Payloads as Linux 6.18 sent them. */
const vectors = {
  veth: `0000 0100 02000000 43100100 00000000 0700030061300000 08000d00e8030000 0500100006000000 08000400dc050000
    0500210001000000 0a000100 96332bef8539 0000 0a000200 ffffffffffff 0000
    cc001700 0300000000000000 0000000000000000 4a01000000000000 ${'00'.repeat(176)}
    1000120009000100 7665746800000000 0800250000000000 0800050002000000`,
  loopbackAddress4: `020880fe01000000 080001007f000001 080002007f000001 070003006c6f0000 0800080080000000
    14000600ffffffffffffffff5d2507005d250700`,
  deprecatedAddress6: `0a40220002000000 14000100fd770009000000000000000000000001
    140006000000000084030000 6325070063250700 0800080022000000`,
  linkLocalAddress: `0a40c0fd02000000 14000100fe8000000000000094332bfffeef8539
    14000600ffffffffffffffff6025070060250700 08000800c0000000 05000b0003000000`,
  multipathRoute: `02180000fe030001 00000000 08000f00fe000000 08000100c6336400
    24000900 1000000202000000 080005000a4d0102 1000000003000000 080005000a4d0202`,
  viaIpv6: `02190000fe030001 00000000 08000f00fe000000 08000100c0000280 0800060009000000 0c000800 0800020014050000
    16001200 0a00fd770001000000000000000000000002 0000 0800040002000000`,
  rule: `02182000fc000001 00000000 08000f0070110100 08000e00ffffffff 050015004d000000 0800060065000000
    08000a0010000000 08001000ff000000 08000100c0000200 080002000a4d0101`,
  endpoint4: `03010000 34000180 0600010002000000 0600050000000000 0500020009000000 0800060006000000
    0800070003000000 080003000a4d0201`,
  endpoint6: `03010000 38000180 060001000a000000 06000500a00f0000 050002000a000000 0800060001000000
    14000400fd770001000000000000000000000001`,
  family: `01020000 0d000200 6d707463705f706d00 000000 060001001c000000 0800030001000000 0800040000000000
    0800050000000000
    44000700 20000100 0800020008000000 12000100 6d707463705f706d5f636d647300 0000
    20000200 0800020009000000 14000100 6d707463705f706d5f6576656e747300`,
  established: `02010000 08000100e9b074f5 0600020002000000 080005000a4d0101 080007000a4d0102 06000900e12c0000
    06000a0012670000 0500030000000000 0500040000000000`,
  subflowEstablished: `0a010000 08000100e9b074f5 0600020002000000 080005000a4d0201 080007000a4d0202 060009009a4d0000
    06000a0012670000 0500030000000000 0500040001000000 05000b0000000000 08000f0003000000`,
  mptcpSocket: `02010000 e12c1267 0a4d0101000000000000000000000000 0a4d0102000000000000000000000000 00000000
    6f10000000000000 00000000 00000000 00000000 00000000 a5710700
    0500080000000000 08000f0000000000 0c00150001000000 00000000 0600160052000000
    64000200 0100000000000000 02000000 e9b074f5 063687c2f5651aca 063687c2f5651aca e7ecf102ef4f7498
    0100000000000000 0000000000000000 0100000000000000 0100000000000000 0100000000000000
    02000000 04000000 04000000 00000000`,
  joinedSubflow: `02010200 9a4d1267 0a4d0201000000000000000000000000 0a4d0202000000000000000000000000 03000000
    7110000000000000 00000000 00000000 00000000 00000000 a5710700
    68001300 0a0001006d70746370000000 58000300 08000100280e6f5e 08000200e9b074f5 08000800ec000000
    0500090001000000 05000a0000000000 0800030001000000 0c000400e7ecf102ef4f7498 0800050000000000
    08000600d1647ed5 0600070000000000`,
} satisfies Record<string, string>;

const nameOf = (index: number): string | undefined => ['', 'lo', 'a0', 'b0'][index];
const bytesOf = (name: keyof typeof vectors): Uint8Array => hex(vectors[name]);

describe('what the kernel sends is understood:', () => {
  test('a link', () => {
    expect(decodeLink(bytesOf('veth'))).toEqual({
      index: 2,
      name: 'a0',
      type: 'ethernet',
      kind: 'veth',
      up: true,
      running: true,
      carrier: true,
      operState: 'up',
      noArp: false,
      pointToPoint: false,
      mtu: 1500,
      address: '96:33:2b:ef:85:39',
      master: undefined,
      parent: 2,
      peerNamespace: 0,
      statistics: {
        packetsIn: 3,
        packetsOut: 0,
        bytesIn: 330,
        bytesOut: 0,
        errorsIn: 0,
        errorsOut: 0,
        droppedIn: 0,
        droppedOut: 0,
      },
    });
  });

  test('an IPv4 address for ever', () => {
    expect(decodeAddress(bytesOf('loopbackAddress4'), nameOf)).toEqual({
      family: 4,
      address: '127.0.0.1',
      prefixLength: 8,
      peer: undefined,
      scope: 'host',
      index: 1,
      device: 'lo',
      label: 'lo',
      flags: {
        temporary: false,
        secondary: false,
        deprecated: false,
        tentative: false,
        duplicate: false,
        optimistic: false,
        permanent: true,
        noPrefixRoute: false,
      },
      validSeconds: Number.POSITIVE_INFINITY,
      preferredSeconds: Number.POSITIVE_INFINITY,
      protocol: undefined,
    });
  });

  test('an IPv6 address whose time is running out', () => {
    expect(decodeAddress(bytesOf('deprecatedAddress6'), nameOf)).toMatchObject({
      address: 'fd77:9::1',
      scope: 'global',
      validSeconds: 900,
      preferredSeconds: 0,
      flags: { deprecated: true, permanent: false },
    });
  });

  test('a link-local address still being tried', () => {
    expect(decodeAddress(bytesOf('linkLocalAddress'), nameOf)).toMatchObject({
      address: 'fe80::9433:2bff:feef:8539',
      scope: 'link',
      flags: { tentative: true },
      protocol: 3,
    });
  });

  test('a route over two ways', () => {
    expect(decodeRoute(bytesOf('multipathRoute'), nameOf)).toMatchObject({
      destination: '198.51.100.0/24',
      type: 'unicast',
      table: 254,
      protocol: 3,
      gateway: undefined,
      device: undefined,
      nexthops: [
        { gateway: '10.77.1.2', index: 2, device: 'a0', weight: 3, dead: false },
        { gateway: '10.77.2.2', index: 3, device: 'b0', weight: 1, dead: false },
      ],
    });
  });

  test('an IPv4 route over an IPv6 router', () => {
    expect(decodeRoute(bytesOf('viaIpv6'), nameOf)).toMatchObject({
      destination: '192.0.2.128/25',
      gateway: 'fd77:1::2',
      device: 'a0',
      metric: 9,
      metrics: { mtu: 1300 },
    });
  });

  test('a rule', () => {
    expect(decodeRule(bytesOf('rule'))).toEqual({
      family: 4,
      priority: 101,
      from: '10.77.1.1/32',
      to: '192.0.2.0/24',
      iif: undefined,
      oif: undefined,
      fwmark: 16,
      fwmask: 255,
      table: 70_000,
      action: 'lookup',
      target: undefined,
      invert: false,
      suppressPrefixLength: undefined,
      uidRange: undefined,
      ipProtocol: undefined,
      sourcePorts: undefined,
      destinationPorts: undefined,
      vrf: false,
      protocol: 77,
    });
  });

  test('endpoints, with their port in the byte order of the host', () => {
    const endpoint = (name: 'endpoint4' | 'endpoint6') =>
      decodeEndpoint(splitHead(bytesOf(name), 4).attributes.nested(1) ?? new Attributes(hex('')), nameOf);
    expect(endpoint('endpoint4')).toEqual({
      id: 9,
      family: 4,
      address: '10.77.2.1',
      port: undefined,
      flags: ['subflow', 'backup'],
      index: 3,
      device: 'b0',
    });
    expect(endpoint('endpoint6')).toEqual({
      id: 10,
      family: 6,
      address: 'fd77:1::1',
      port: 4000,
      flags: ['signal'],
      index: undefined,
      device: undefined,
    });
  });

  test('a family of generic netlink with its groups', () => {
    expect(decodeFamily(bytesOf('family'))).toEqual({
      id: 28,
      version: 1,
      groups: new Map([
        ['mptcp_pm_cmds', 8],
        ['mptcp_pm_events', 9],
      ]),
    });
  });

  test('events of the path manager, with their ports in the byte order of the network', () => {
    expect(decodePathManagerEvent(bytesOf('established'))).toEqual({
      type: 'established',
      token: 0xf574b0e9,
      local: { address: '10.77.1.1', port: 57_644 },
      remote: { address: '10.77.1.2', port: 4711 },
      serverSide: false,
      denyJoinId0: false,
    });
    expect(decodePathManagerEvent(bytesOf('subflowEstablished'))).toEqual({
      type: 'subflow-established',
      token: 0xf574b0e9,
      local: { address: '10.77.2.1', port: 39_501 },
      remote: { address: '10.77.2.2', port: 4711 },
      localId: 0,
      remoteId: 1,
      backup: false,
      index: 3,
      error: undefined,
      resetReason: undefined,
      resetTransient: false,
    });
  });

  test('a reset of a subflow with its reason, and an unknown event', () => {
    const event = (command: number, attributes: AttributeWriter): unknown =>
      decodePathManagerEvent(Uint8Array.from([command, 1, 0, 0, ...attributes.finish()]));
    const reset = new AttributeWriter().u32(1, 5).u8(12, 104).u32(16, 4).u32(17, 1).u8(11, 1);
    expect(event(11, reset)).toMatchObject({
      type: 'subflow-closed',
      token: 5,
      backup: true,
      error: 'ECONNRESET',
      resetReason: 4,
      resetTransient: true,
    });
    expect(event(2, new AttributeWriter().u32(1, 5).u16(13, 3))).toMatchObject({
      serverSide: true,
      denyJoinId0: true,
    });
    expect(event(1, new AttributeWriter().u32(1, 5).u8(18, 1))).toMatchObject({ serverSide: true });
    expect(event(99, new AttributeWriter())).toBeUndefined();
  });

  test('an MPTCP socket', () => {
    expect(decodeMptcpDiag(bytesOf('mptcpSocket'))).toMatchObject({
      state: 'established',
      local: { address: '10.77.1.1', port: 57_644 },
      remote: { address: '10.77.1.2', port: 4711 },
      cookie: 0x106fn,
      uid: 0,
      inode: 0x771a5,
      info: {
        token: 0xf574b0e9,
        extraSubflows: 1,
        subflowsTotal: 2,
        bytesSent: 1,
        bytesReceived: 1,
        fallback: false,
      },
    });
  });

  test('a subflow that joined as backup', () => {
    expect(decodeSubflowDiag(bytesOf('joinedSubflow'))).toMatchObject({
      state: 'established',
      local: { address: '10.77.2.1', port: 39_501 },
      boundIndex: 3,
      subflow: {
        localToken: 0xf574b0e9,
        remoteToken: 0x5e6f0e28,
        localId: 0,
        remoteId: 1,
        flags: {
          initial: false,
          join: true,
          joinedByUs: true,
          backupLocal: true,
          backupRemote: false,
          fullyEstablished: true,
          connected: true,
        },
      },
      info: { rttMs: 0, bytesSent: 0 },
    });
    expect(decodeSubflowDiag(bytesOf('mptcpSocket'))).toBeUndefined();
  });
});

const decoders: Record<string, (payload: Uint8Array) => unknown> = {
  link: decodeLink,
  address: payload => decodeAddress(payload, nameOf),
  route: payload => decodeRoute(payload, nameOf),
  'route answer': payload => decodeRouteAnswer(payload, nameOf),
  rule: decodeRule,
  endpoint: payload => decodeEndpoint(new Attributes(payload), nameOf),
  family: decodeFamily,
  event: decodePathManagerEvent,
  'route event': payload =>
    [16, 17, 20, 21, 24, 25, 32, 33, 99].map(type =>
      tryRead(() => routeEventDecoder(new Map())({ type, flags: 0, sequence: 0, port: 0, payload })),
    ),
  'mptcp socket': decodeMptcpDiag,
  subflow: decodeSubflowDiag,
  socket: decodeDiagSocket,
};

function tryRead(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof NetlinkMalformedError)) throw error;
  }
}

describe('bytes that no kernel sends are refused as malformed, and never otherwise:', () => {
  const garbage = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // A head of IPv4 or IPv6, then attributes that are well-formed but of any type and size.
    fc
      .tuple(
        fc.constantFrom(0, 2, 10),
        fc.constantFrom(0, 3, 7, 11, 15, 71),
        fc.array(fc.tuple(fc.nat(40), fc.uint8Array({ maxLength: 40 })), { maxLength: 8 }),
      )
      .map(([family, more, attributes]) => {
        const writer = new AttributeWriter(Uint8Array.from([family, ...new Array<number>(more).fill(1)]));
        for (const [type, value] of attributes) writer.bytes(type, value);
        return writer.finish();
      }),
    // Real ones with a few bytes changed.
    fc
      .tuple(
        fc.constantFrom(...(Object.keys(vectors) as (keyof typeof vectors)[])),
        fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 4 }),
      )
      .map(([name, changes]) => {
        const bytes = bytesOf(name);
        for (const [at, value] of changes) bytes[at % bytes.byteLength] = value;
        return bytes;
      }),
  );

  test.each(Object.keys(decoders))('%s', name => {
    fc.assert(
      fc.property(garbage, payload => tryRead(() => decoders[name]?.(payload))),
      brief,
    );
  });

  test.each(Object.keys(vectors) as (keyof typeof vectors)[])('%s, cut at any place', name => {
    const whole = bytesOf(name);
    for (let length = 0; length < whole.byteLength; length++) {
      for (const decode of Object.values(decoders)) tryRead(() => decode(whole.subarray(0, length)));
    }
  });

  test('a link without a name, an address without an address, a nexthop beyond the end', () => {
    const malformed = expect.objectContaining({ code: 'MPTCP_NETLINK_MALFORMED' });
    expect(() => decodeLink(new Uint8Array(16))).toThrow(malformed);
    expect(() => decodeAddress(Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0), nameOf)).toThrow(malformed);
    const route = bytesOf('multipathRoute');
    route[32] = 0x40;
    expect(() => decodeRoute(route, nameOf)).toThrow(malformed);
  });

  test('what is of no IP family is left out', () => {
    const other = new Uint8Array(12).fill(0);
    other[0] = 7;
    expect(decodeAddress(other.subarray(0, 8), nameOf)).toBeUndefined();
    expect(decodeRoute(other, nameOf)).toBeUndefined();
    expect(decodeRule(other)).toBeUndefined();
  });
});
