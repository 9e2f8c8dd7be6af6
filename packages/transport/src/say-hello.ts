import type { TLSSocket } from 'node:tls';
import { frameTypes } from '@manypath/session';
import { HelloError } from './errors.ts';
import { firstFrame } from './first-frame.ts';
import {
  decodeRefused,
  decodeWelcome,
  encodeHello,
  type Hello,
  type Refused,
  type Welcome,
} from './hello.ts';

/** Label of the value that both ends derive from their TLS connection (RFC 8446 §7.5), and its length. */
const exporterLabel = 'EXPERIMENTAL manypath/1';
const exporterBytes = 32;

/** What both ends of this connection know, and nobody else, on no other one. */
export function exporterOf(socket: TLSSocket): Buffer {
  return socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0));
}

/** What a relay answers to HELLO. */
export type HelloAnswer =
  | {
      readonly welcome: Welcome;
      /** What came after it. */
      readonly rest: Uint8Array;
    }
  | { readonly refused: Refused };

/**
 * Says HELLO on a connection, and waits for the answer.
 *
 * @throws HelloError `MANYPATH_HELLO`; the reason of `signal`
 */
export function sayHello(
  socket: TLSSocket,
  hello: Omit<Hello, 'exporter'>,
  signal: AbortSignal,
): Promise<HelloAnswer> {
  socket.write(encodeHello({ ...hello, exporter: exporterOf(socket) }));
  return answerToHello(socket, hello.secret, signal);
}

/** Waits for the answer to a HELLO. @throws as {@link sayHello} */
export async function answerToHello(
  socket: TLSSocket,
  secret: string,
  signal: AbortSignal,
): Promise<HelloAnswer> {
  const { type, body, rest } = await firstFrame(socket, signal);
  if (type === frameTypes.welcome) return { welcome: decodeWelcome(body, secret, exporterOf(socket)), rest };
  if (type === frameTypes.refused) return { refused: decodeRefused(body) };
  throw new HelloError('it answers HELLO with something else');
}
