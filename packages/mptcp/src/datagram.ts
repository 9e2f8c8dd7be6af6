import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { BindError, UnsupportedError } from './errors.ts';
import { tryLibc } from './kernel/libc.ts';
import { bindToDevice } from './open-socket.ts';

export interface DatagramOptions {
  /** The only address it sends to and receives from: whatever else arrives is dropped by the kernel. */
  readonly address: string;
  readonly port: number;
  /** Network device to leave through (SO_BINDTODEVICE). Linux only. */
  readonly device?: string | undefined;
  /** IP address to leave from. Default: the kernel's choice. */
  readonly localAddress?: string | undefined;
}

/**
 * A UDP socket to one place, with a port of its own that the kernel drew at random. Listen for `error` on it: what is
 * refused on the way (ICMP) arrives there.
 *
 * @throws BindError `MPTCP_BIND_FAILED`, `localAddress` or `device` is not to be had
 * @throws UnsupportedError `MPTCP_UNSUPPORTED`, `device` away from Linux
 * @throws the system's error when nothing leads to `address`
 */
export async function openDatagram({
  address,
  port,
  device,
  localAddress,
}: DatagramOptions): Promise<Socket> {
  const isV6 = address.includes(':');
  const socket = createSocket({ type: isV6 ? 'udp6' : 'udp4' });
  // Nobody listens yet while it is bound and connected; those errors are told by rejection.
  const ignore = (): void => {};
  socket.on('error', ignore);
  try {
    socket.bind({
      port: 0,
      exclusive: true,
      ...(localAddress === undefined ? {} : { address: localAddress }),
    });
    await once(socket, 'listening');
    if (device !== undefined) tie(socket, device);
    socket.connect(port, address);
    await once(socket, 'connect');
    return socket.off('error', ignore);
  } catch (error) {
    socket.close();
    const refused = error instanceof Error && 'syscall' in error && error.syscall === 'bind';
    throw refused ? new BindError(String(localAddress), codeOf(error), error) : error;
  }
}

function tie(socket: Socket, device: string): void {
  const libc = tryLibc();
  const fd = descriptorOf(socket);
  if (libc === undefined || fd === undefined || fd < 0) {
    throw new UnsupportedError('A datagram socket cannot be tied to a device here', {
      hint: 'It needs Linux and the npm package koffi.',
    });
  }
  bindToDevice(libc, fd, device);
}

/** Node has no name for it. Its `_handle`, which a stream socket has too, warns on standard error that it is deprecated (DEP0112). */
function descriptorOf(socket: Socket): number | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find(
    ({ description }) => description === 'state symbol',
  );
  if (symbol === undefined) return undefined;
  const state = Reflect.get(socket, symbol) as { handle?: { fd?: number } | null };
  return state.handle?.fd;
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.message;
}
