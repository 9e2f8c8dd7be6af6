import { describe, expect, test } from 'vitest';
import { AF_INET, IPPROTO_MPTCP, SO_PROTOCOL, SOL_SOCKET } from '../src/kernel/constants.ts';
import { errnoNumber } from '../src/kernel/errno.ts';
import { type Libc, libc, tryLibc } from '../src/kernel/libc.ts';
import { openSocket } from '../src/open-socket.ts';
import { hasMptcp } from './support/requirements.ts';

/** The real kernel, save that it refuses Multipath TCP: no machine has all the ways in which kernels do. */
function refusing(errnoName: string): Libc {
  const errno = errnoNumber(errnoName) ?? 0;
  const real = libc();
  return { ...real, trySocket: (...call) => (call[2] === IPPROTO_MPTCP ? -errno : real.trySocket(...call)) };
}

describe.skipIf(tryLibc() === undefined)('opening a socket', () => {
  test.each([
    ['EPROTONOSUPPORT', 'kernel-without-mptcp'],
    ['EINVAL', 'kernel-without-mptcp'],
    ['ENOPROTOOPT', 'switched-off'],
    ['EACCES', 'blocked'],
    ['EPERM', 'blocked'],
  ])('that the kernel refuses with %s gives TCP, for the reason %s', (errnoName, reason) => {
    const opened = openSocket(refusing(errnoName), AF_INET, true);
    expect(opened).toMatchObject({ protocol: 'tcp', plainReason: reason });
    expect(libc().tryGetsockoptInt(opened.fd, SOL_SOCKET, SO_PROTOCOL)).toBe(6);
    libc().close(opened.fd);
  });

  test.each(['EMFILE', 'ENFILE', 'ENOMEM', 'EAFNOSUPPORT'])(
    'that fails with %s fails: TCP would not do better',
    errnoName => {
      expect(() => openSocket(refusing(errnoName), AF_INET, true)).toThrow(
        expect.objectContaining({ code: 'MPTCP_SYSTEM_CALL', errnoName }),
      );
    },
  );

  test.runIf(hasMptcp())('asks for what is wanted', () => {
    for (const [mptcp, protocol] of [
      [true, IPPROTO_MPTCP],
      [false, 6],
    ] as const) {
      const { fd } = openSocket(libc(), AF_INET, mptcp);
      expect(libc().tryGetsockoptInt(fd, SOL_SOCKET, SO_PROTOCOL)).toBe(protocol);
      libc().close(fd);
    }
  });
});
