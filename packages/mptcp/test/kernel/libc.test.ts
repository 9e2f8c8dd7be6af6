import { closeSync, openSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  SO_PROTOCOL,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../src/kernel/constants.ts';
import { errnoName, errnoNumber } from '../../src/kernel/errno.ts';
import { type Libc, libc, tryLibc, whyNoLibc } from '../../src/kernel/libc.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const RTM_GETLINK = 18;
const NLM_F_DUMP_REQUEST = 0x301;
const MSG_DONTWAIT = 0x40;

/** A rtnetlink socket: what is sent on it is answered before `send` returns, so it makes a good thing to watch. */
function netlinkSocket(c: Libc): number {
  const fd = c.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  c.bind(fd, address);
  return fd;
}

function askForLinks(c: Libc, fd: number): void {
  const request = Buffer.alloc(32);
  request.writeUInt32LE(32, 0);
  request.writeUInt16LE(RTM_GETLINK, 4);
  request.writeUInt16LE(NLM_F_DUMP_REQUEST, 6);
  c.send(fd, request);
}

function drain(c: Libc, fd: number): number {
  const buffer = Buffer.alloc(65_536);
  let total = 0;
  for (;;) {
    const count = c.recv(fd, buffer, MSG_DONTWAIT);
    if (count === undefined) return total;
    total += count;
  }
}

describe.runIf(tryLibc() !== undefined)('the C library', () => {
  const c = libc();

  test('gives descriptors, and takes them back once', () => {
    const fd = c.socket(2, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const twin = c.dup(fd);
    c.close(fd);
    expect(c.tryGetsockoptInt(twin, SOL_SOCKET, SO_PROTOCOL)).toBe(6);
    c.close(twin);
    expect(() => c.close(twin)).toThrow(
      expect.objectContaining({ code: 'MPTCP_SYSTEM_CALL', errnoName: 'EBADF' }),
    );
    expect(() => c.dup(twin)).toThrow(/EBADF/);
  });

  test('returns refusals as negative numbers where asked to, and throws them elsewhere', () => {
    expect(errnoName(c.trySocket(2, SOCK_STREAM, 250))).toBe('EPROTONOSUPPORT');
    expect(() => c.socket(2, SOCK_STREAM, 250)).toThrow(
      expect.objectContaining({ syscall: 'socket', errnoName: 'EPROTONOSUPPORT', errno: 93 }),
    );
    expect(errnoName(c.trySetsockopt(-1, 1, 2, 1))).toBe('EBADF');
    expect(() => c.setsockopt(-1, 1, 2, 1)).toThrow(/setsockopt level 1 option 2: EBADF/);
    expect(() => c.getsockopt(-1, 1, 2, Buffer.alloc(4))).toThrow(/getsockopt level 1 option 2: EBADF/);
  });

  test('reports how much of a buffer an option filled', () => {
    const fd = c.socket(2, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect(c.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, Buffer.alloc(64))).toBe(4);
    c.close(fd);
  });

  test('says nothing waits, instead of blocking', () => {
    const fd = netlinkSocket(c);
    expect(c.recv(fd, Buffer.alloc(16), MSG_DONTWAIT)).toBeUndefined();
    c.close(fd);
  });

  test('watches a socket, from a turn of its own, until closed', async () => {
    const fd = netlinkSocket(c);
    const calls: number[] = [];
    let heard: () => void = () => {};
    const watch = c.pollReadable(fd, () => {
      calls.push(drain(c, fd));
      // Promises made here must run at once, not at the next timer.
      Promise.resolve().then(() => heard());
    });
    for (let i = 1; i <= 3; i++) {
      const next = new Promise<void>(resolve => {
        heard = resolve;
      });
      askForLinks(c, fd);
      await next;
      expect(calls.filter(count => count > 0).length).toBe(i);
    }
    watch.close();
    watch.close();
    askForLinks(c, fd);
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(calls.filter(count => count > 0).length).toBe(3);
    c.close(fd);
  });

  test('closed from within its own callback, a watch is silent', async () => {
    const fd = netlinkSocket(c);
    let calls = 0;
    await new Promise<void>(resolve => {
      const watch = c.pollReadable(fd, () => {
        calls++;
        watch.close();
        resolve();
      });
      askForLinks(c, fd);
    });
    await new Promise(resolve => setImmediate(resolve));
    expect(calls).toBe(1);
    c.close(fd);
  });

  test('refuses to watch what would end the process', () => {
    expect(() => c.pollReadable(987_654, () => {})).toThrow(/EBADF/);
    const file = openSync('/proc/self/status', 'r');
    expect(() => c.pollReadable(file, () => {})).toThrow(
      expect.objectContaining({ code: 'MPTCP_UNSUPPORTED' }),
    );
    closeSync(file);
  });

  test('is there, so there is no reason why not', () => {
    expect(whyNoLibc()).toBeUndefined();
  });
});

test('errors of the kernel have the names of the manual pages', () => {
  expect([1, 11, 22, 92, 93, 95, 98, 111, -1, 9999].map(errnoName)).toEqual([
    'EPERM',
    'EAGAIN',
    'EINVAL',
    'ENOPROTOOPT',
    'EPROTONOSUPPORT',
    'EOPNOTSUPP',
    'EADDRINUSE',
    'ECONNREFUSED',
    'EPERM',
    'ERRNO_9999',
  ]);
  expect([errnoNumber('EPERM'), errnoNumber('ENOTSUP'), errnoNumber('EWHAT')]).toEqual([1, 95, undefined]);
});
