import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeFullInfoHead,
  decodeMptcpInfo,
  decodeSubflow,
  decodeSubflowAddrs,
  decodeSubflowDataHead,
  decodeSubflowInfo,
  structBytes,
} from '../../src/kernel/structs.ts';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));

/** struct mptcp_info as Linux 6.18 returns it, every field with a value of its own. */
const mptcpInfo = hex(`
  01 02 03 04 05 06 0000  02000000  78563412
  0700000001000000 0800000000000000 0900000000000000
  0a 0b 01 00  0c000000
  0d00000000000000 0e00000000000000 0f00000000000000 1000000000000000
  11 000000 12000000 13000000 14000000`);

const whole = {
  extraSubflows: 1,
  addAddrSignal: 2,
  addAddrAccepted: 3,
  subflowsMax: 4,
  addAddrSignalMax: 5,
  addAddrAcceptedMax: 6,
  fallback: false,
  remoteKeyReceived: true,
  token: 0x12345678,
  writeSequence: 0x1_0000_0007,
  sendUnacknowledged: 8,
  receiveNext: 9,
  localAddressesUsed: 10,
  localAddressesMax: 11,
  checksum: true,
  retransmits: 12,
  bytesRetransmitted: 13,
  bytesSent: 14,
  bytesReceived: 15,
  bytesAcked: 16,
  subflowsTotal: 17,
  lastDataSentMs: 18,
  lastDataReceivedMs: 19,
  lastAckReceivedMs: 20,
};

/** Where each field of mptcp_info ends: a struct cut before that does not have it. */
const ends: Partial<Record<keyof typeof whole, number>> = {
  extraSubflows: 1,
  addAddrAcceptedMax: 6,
  token: 16,
  writeSequence: 24,
  receiveNext: 40,
  localAddressesUsed: 41,
  checksum: 43,
  retransmits: 48,
  bytesRetransmitted: 56,
  bytesSent: 64,
  bytesReceived: 72,
  bytesAcked: 80,
  subflowsTotal: 81,
  lastDataSentMs: 88,
  lastAckReceivedMs: 96,
};

describe('struct mptcp_info', () => {
  test('is read field by field', () => {
    expect(decodeMptcpInfo(structBytes(mptcpInfo), 0, 96)).toEqual(whole);
  });

  test.each(Array.from({ length: 97 }, (_, length) => length))(
    'cut at %i bytes has what lies before',
    length => {
      const cut = decodeMptcpInfo(structBytes(mptcpInfo), 0, length);
      for (const [name, end] of Object.entries(ends)) {
        const field = name as keyof typeof whole;
        expect([field, cut[field]]).toEqual([field, end <= length ? whole[field] : undefined]);
      }
    },
  );

  test('is not read beyond its length when old bytes follow in the same memory', () => {
    expect(decodeMptcpInfo(structBytes(mptcpInfo), 0, 48).bytesSent).toBeUndefined();
  });

  test('says when the connection fell back', () => {
    const bytes = Uint8Array.from(mptcpInfo);
    bytes[8] = 1;
    const info = decodeMptcpInfo(structBytes(bytes), 0, 96);
    expect([info.fallback, info.remoteKeyReceived]).toEqual([true, false]);
  });
});

const nobody = { id: undefined, local: { address: '', port: 0 }, remote: { address: '', port: 0 } };

describe('struct tcp_info', () => {
  const bytes = new Uint8Array(280);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 1);
  view.setUint8(4, 3);
  view.setUint32(8, 204_000, true);
  view.setUint32(16, 1448, true);
  view.setUint32(20, 1400, true);
  view.setUint32(24, 5, true);
  view.setUint32(32, 2, true);
  view.setUint32(44, 11, true);
  view.setUint32(52, 12, true);
  view.setUint32(68, 20_125, true);
  view.setUint32(72, 1500, true);
  view.setUint32(80, 42, true);
  view.setUint32(84, 1460, true);
  view.setUint32(100, 7, true);
  view.setBigUint64(104, 3_000_000n, true);
  view.setBigUint64(120, 1_000_001n, true);
  view.setBigUint64(128, 2_000_002n, true);
  view.setUint32(144, 77, true);
  view.setUint32(148, 19_000, true);
  view.setUint32(152, 1234, true);
  view.setBigUint64(160, 5_000_000_000n, true);
  view.setBigUint64(200, 1_000_003n, true);
  view.setBigUint64(208, 2896n, true);

  test('gives round-trip times in milliseconds and rates in bytes a second', () => {
    expect(decodeSubflow(nobody, structBytes(bytes), 0, 280)).toEqual({
      ...nobody,
      state: 'established',
      rttMs: 20.125,
      rttVarianceMs: 1.5,
      minRttMs: 19,
      retransmitTimeoutMs: 204,
      congestionWindow: 42,
      segmentSize: 1448,
      unacknowledged: 5,
      lost: 2,
      retransmits: 7,
      backoff: 3,
      bytesSent: 1_000_003,
      bytesRetransmitted: 2896,
      bytesReceived: 2_000_002,
      bytesAcked: 1_000_001,
      bytesUnsent: 77,
      deliveryRate: 5_000_000_000,
      pacingRate: 3_000_000,
      lastDataSentMs: 11,
      lastDataReceivedMs: 12,
      segmentsReceived: 1234,
      receivedSegmentSize: 1400,
      advertisedSegmentSize: 1460,
    });
  });

  test('of an older kernel gives 0 for what it lacks', () => {
    const cut = decodeSubflow(nobody, structBytes(bytes), 0, 160);
    expect([cut.deliveryRate, cut.bytesSent, cut.bytesAcked]).toEqual([0, 0, 1_000_001]);
  });

  test('takes the absent minimum of the round-trip time for 0', () => {
    const fresh = Uint8Array.from(bytes);
    new DataView(fresh.buffer).setUint32(148, 0xffff_ffff, true);
    expect(decodeSubflow(nobody, structBytes(fresh), 0, 280).minRttMs).toBe(0);
  });
});

describe('subflow addresses', () => {
  const v4 = '0200 01bb 0a000001';
  const v6 = '0a00 0050 00000000 20010db8000000000000000000000001 00000000';
  const padded = (text: string, size: number): string => text.replace(/\s/g, '').padEnd(size * 2, '0');

  test('of mptcp_subflow_info come with the id', () => {
    const bytes = hex(`05000000 00000000 ${padded(v4, 128)} ${padded(v6, 128)}`);
    expect(decodeSubflowInfo(structBytes(bytes), 0, 264)).toEqual({
      id: 5,
      local: { address: '10.0.0.1', port: 443 },
      remote: { address: '2001:db8::1', port: 80 },
    });
  });

  test('of mptcp_subflow_addrs have no id', () => {
    const bytes = hex(`${padded(v6, 128)} ${padded(v4, 128)}`);
    expect(decodeSubflowAddrs(structBytes(bytes), 0, 256)).toEqual({
      id: undefined,
      local: { address: '2001:db8::1', port: 80 },
      remote: { address: '10.0.0.1', port: 443 },
    });
  });

  test('that are cut off stay empty, and the next record is not read in their place', () => {
    const bytes = hex(`05000000 00000000 ${padded(v4, 128)} ${padded(v6, 128)}`);
    const ends = decodeSubflowInfo(structBytes(bytes), 0, 140);
    expect([ends.local.address, ends.remote.address]).toEqual(['10.0.0.1', '']);
  });
});

test('the head of mptcp_full_info gives the record sizes the kernel really used', () => {
  const head = hex('18010000 e8000000 08010000 00010000 02000000 10000000');
  expect(decodeFullInfoHead(structBytes(head))).toEqual({
    tcpInfoSize: 0xe8,
    subflowInfoSize: 0x100,
    subflows: 2,
  });
});

test('the head of mptcp_subflow_data takes the smaller record size', () => {
  expect(decodeSubflowDataHead(structBytes(hex('10000000 02000000 18010000 e8000000')))).toEqual({
    headSize: 16,
    subflows: 2,
    elementSize: 0xe8,
  });
});

test('no bytes, offset or length make a decoder throw', () => {
  const small = fc.integer({ min: 0, max: 400 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 320 }), small, small, (bytes, offset, length) => {
      const from = structBytes(bytes);
      decodeMptcpInfo(from, offset, length);
      decodeSubflow(nobody, from, offset, length);
      decodeSubflowInfo(from, offset, length);
      decodeSubflowAddrs(from, offset, length);
      decodeFullInfoHead(from);
      decodeSubflowDataHead(from);
    }),
    { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
  );
});
