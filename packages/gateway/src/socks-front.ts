import type { Socket } from 'node:net';
import {
  type Authority,
  type Clock,
  errorCode,
  Socks4ServerHandshake,
  type Socks5Reply,
  Socks5ServerHandshake,
  SocksProtocolError,
  socks4Replies,
  socks4Reply,
  socks5Replies,
  socks5Reply,
} from '@manypath/core';
import { statusOf } from '@manypath/forward';
import { ConnectError, ConnectTimeoutError, LookupError } from '@manypath/mptcp';
import { ClientGoneError, ClientTooSlowError } from './errors.ts';

/** The versions of SOCKS that are served here: the first byte of a client. */
export const socksVersions = { four: 4, five: 5 } as const;

/**
 * Reads a SOCKS handshake (RFC 1928, or SOCKS4 and 4a) from a paused socket, answering what has to be answered on the way. Bytes that
 * came behind it are put back.
 *
 * @throws SocksProtocolError `MANYPATH_SOCKS_PROTOCOL`, after its reply was sent
 * @throws ClientTooSlowError `MANYPATH_CLIENT_TOO_SLOW`
 * @throws ClientGoneError `MANYPATH_CLIENT_GONE`
 */
export function readSocksRequest(
  socket: Socket,
  version: number,
  timeoutMs: number,
  clock: Clock,
): Promise<Authority> {
  const handshake =
    version === socksVersions.four ? new Socks4ServerHandshake() : new Socks5ServerHandshake();
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      timer.cancel();
      socket.off('data', onData).off('end', onGone).off('error', onGone).off('close', onGone);
      socket.pause();
      act();
    };
    const onGone = () => settle(() => reject(new ClientGoneError()));
    const onData = (bytes: Buffer) => {
      try {
        for (const event of handshake.push(bytes)) {
          if (event.type === 'reply') socket.write(event.bytes);
          else
            settle(() => {
              if (event.rest.length > 0) socket.unshift(event.rest);
              resolve(event.target);
            });
        }
      } catch (error) {
        if (error instanceof SocksProtocolError && error.reply.length > 0) socket.write(error.reply);
        settle(() => reject(error));
      }
    };
    const timer = clock.after(timeoutMs, () => settle(() => reject(new ClientTooSlowError(timeoutMs))));
    socket.on('data', onData).once('end', onGone).once('error', onGone).once('close', onGone);
    socket.resume();
  });
}

/** What tells the client that its connection is open. */
export function socksAcceptance(version: number): Uint8Array {
  return version === socksVersions.four
    ? socks4Reply(socks4Replies.granted)
    : socks5Reply(socks5Replies.succeeded);
}

/** What tells the client that there is none, and as far as its version can, why. */
export function socksRefusal(version: number, error: unknown): Uint8Array {
  return version === socksVersions.four
    ? socks4Reply(socks4Replies.rejected)
    : socks5Reply(socksReplyFor(error));
}

/** What a client is told that is not let in at all: of version 5, that no method of authentication is acceptable; RFC 1928 §3. */
export function socksRejection(version: number): Uint8Array {
  return version === socksVersions.four
    ? socks4Reply(socks4Replies.rejected)
    : Uint8Array.of(socksVersions.five, 0xff);
}

/** The reply that says best why there is no connection; RFC 1928 §6. */
function socksReplyFor(error: unknown): Socks5Reply {
  if (error instanceof LookupError) return socks5Replies.hostUnreachable;
  if (error instanceof ConnectTimeoutError) return socks5Replies.ttlExpired;
  if (error instanceof ConnectError) return byErrno[error.systemCode ?? ''] ?? socks5Replies.generalFailure;
  const status = statusOf(error);
  if (status === 403) return socks5Replies.notAllowed;
  if (status === 504) return socks5Replies.ttlExpired;
  if (errorCode(error) === 'MANYPATH_RELAY_TARGET') return socks5Replies.hostUnreachable;
  return errorCode(error) === 'MANYPATH_RELAY_AWAY'
    ? socks5Replies.networkUnreachable
    : socks5Replies.generalFailure;
}

const byErrno: Record<string, Socks5Reply> = {
  ECONNREFUSED: socks5Replies.connectionRefused,
  ENETUNREACH: socks5Replies.networkUnreachable,
  EHOSTUNREACH: socks5Replies.hostUnreachable,
  EACCES: socks5Replies.notAllowed,
  EPERM: socks5Replies.notAllowed,
  ETIMEDOUT: socks5Replies.ttlExpired,
  EAFNOSUPPORT: socks5Replies.addressTypeNotSupported,
};
