import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import { errorCode, errorMessage, formatAuthority, ManypathError, type Pairing } from '@manypath/core';
import { setSocketOption, widenReceiveBuffer } from '@manypath/mptcp';
import { sessionProtocol } from '@manypath/transport';
import { RelayUntrustedError } from '../errors.ts';
import type { LaneDial } from './lane-dial.ts';

/** A connection to the relay before anything was said on it. */
export interface LaneSocket {
  /** What HTTP is spoken on. */
  readonly stream: Socket;
  /** The connection below TLS: what the kernel knows of. */
  readonly raw: Socket;
  readonly protocol: typeof sessionProtocol | 'h2' | 'http/1.1';
}

/**
 * Connects to the relay, in TLS unless the pairing is with a plain proxy, and sees that it is the relay
 * that was paired with.
 *
 * @param offersSessions Whether sessions are offered to a Manypath relay, before HTTP/2. Default false.
 * @throws RelayUntrustedError `MANYPATH_RELAY_UNTRUSTED`
 * @throws what `dial` throws
 */
export async function openLaneSocket(
  pairing: Pairing,
  dial: LaneDial,
  signal: AbortSignal,
  { offersSessions = false }: { offersSessions?: boolean } = {},
): Promise<LaneSocket> {
  const raw = await dial(pairing.address, signal);
  raw.on('error', ignore);
  tune(raw);
  if (!pairing.secure) return { stream: raw, raw, protocol: 'http/1.1' };
  const protocols = [...(offersSessions ? [sessionProtocol] : []), 'h2', 'http/1.1'];
  const stream = await secured(raw, pairing, protocols, signal);
  const protocol = stream.alpnProtocol;
  return { stream, raw, protocol: protocol === sessionProtocol || protocol === 'h2' ? protocol : 'http/1.1' };
}

/** Room for what arrives over one path before what was sent earlier over another, in bytes. */
const receiveBufferBytes = 8_388_608;
/** What may be handed to the kernel and not yet be sent, in bytes: more would be bound to a path too early. */
const notSentBytes = 131_072;

/** Where the kernel does not, transfers over unequal paths are slower, and all else works. */
function tune(socket: Socket): void {
  widenReceiveBuffer(socket, receiveBufferBytes);
  try {
    setSocketOption(socket, 'notSentLowWater', notSentBytes);
  } catch (error) {
    if (!ManypathError.is(error)) throw error;
  }
}

async function secured(
  raw: Socket,
  pairing: Pairing,
  protocols: readonly string[],
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { host } = pairing.address;
  const stream = tlsConnect({
    socket: raw,
    ...(isIP(host) === 0 ? { servername: host } : { host }),
    ALPNProtocols: [...protocols],
    minVersion: pairing.isRelay ? 'TLSv1.3' : 'TLSv1.2',
    // With a pin the key itself is compared below, and the names in the certificate say nothing more.
    rejectUnauthorized: pairing.pin === undefined,
  });
  stream.on('error', ignore);
  try {
    await handshake(stream, raw, signal);
    if (pairing.pin !== undefined) comparePin(stream, pairing.pin, formatAuthority(pairing.address));
    return stream;
  } catch (error) {
    stream.destroy();
    raw.destroy();
    throw isCertificateError(error)
      ? new RelayUntrustedError(formatAuthority(pairing.address), errorMessage(error), error)
      : error;
  }
}

/** An error is told by whoever waits at that moment; the streams emit more than one. */
function ignore(): void {}

function handshake(stream: TLSSocket, raw: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => settle(() => reject(new Error('the connection closed during the TLS handshake')));
    const onError = (error: Error) => settle(() => reject(error));
    const onAbort = () => settle(() => reject(signal.reason));
    const settle = (act: () => void) => {
      stream.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
      raw.off('error', onError);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onSecure = () => settle(resolve);
    stream.once('secureConnect', onSecure).once('error', onError).once('close', onClose);
    raw.once('error', onError);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function comparePin(stream: TLSSocket, pin: string, place: string): void {
  const key = stream.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
  if (key === undefined) throw new RelayUntrustedError(place, 'it shows no certificate');
  const found = createHash('sha256').update(key).digest();
  const expected = Buffer.from(pin, 'base64url');
  if (found.length === expected.length && timingSafeEqual(found, expected)) return;
  throw new RelayUntrustedError(place, 'its key is another one than the pin of the pairing URL says');
}

/** OpenSSL's X509_V_ERR_… and Node's own check of the names. */
const certificateErrors =
  /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_)/;

function isCertificateError(error: unknown): boolean {
  return certificateErrors.test(errorCode(error) ?? '');
}
