import { createHmac, timingSafeEqual } from 'node:crypto';
import { ByteReader, BytesCutShortError, ByteWriter, decodeText, encodeText } from '@manypath/core';
import { encodeFrame, frameTypes } from '@manypath/session';
import { HelloError } from './errors.ts';
import { transportLimits } from './limits.ts';

/** What is spoken on a carrier, as ALPN names it (RFC 7301). */
export const sessionProtocol = 'manypath/1' as const;

export const sessionIdBytes = 16;
export const sessionKeyBytes = 32;
const proofBytes = 32;
const version = 1;
const noSession = new Uint8Array(sessionIdBytes);
const noProof = new Uint8Array(proofBytes);

/** Why a relay refuses a carrier; the numbers of docs/SESSION.md §4. */
export const refusals = {
  /** The user is not known, or the proof is wrong: which of them is not told. */
  notPaired: 1,
  /** There is no such session any more, or not for this user. */
  noSession: 2,
  /** There are as many sessions or carriers as may be. */
  busy: 3,
  /** The relay is about to stop. */
  closing: 4,
  /** It does not speak this version. */
  version: 5,
} as const;

/** A session that goes on. */
export interface KnownSession {
  readonly id: Uint8Array;
  readonly key: Uint8Array;
}

/** What a gateway says first on a carrier. */
export interface Hello {
  /** The carrier's number in the session. */
  readonly carrier: number;
  readonly user: string;
  readonly secret: string;
  /** Of this TLS connection. */
  readonly exporter: Uint8Array;
  /** The session that goes on; by default a new one begins. */
  readonly session?: KnownSession | undefined;
}

/** Writes HELLO: whoever reads it learns nothing of the secret, and cannot use it on another connection. */
export function encodeHello({ carrier, user, secret, exporter, session }: Hello): Uint8Array {
  const name = encodeText(user);
  const said = new ByteWriter(128)
    .uint8(version)
    .uint8(0)
    .bytes(session?.id ?? noSession)
    .uint32(carrier)
    .uint8(name.length)
    .bytes(name)
    .finish();
  const resume =
    session === undefined ? noProof : keyed(session.key, 'manypath/1 resume', exporter, session.id);
  const body = new ByteWriter(256)
    .bytes(said)
    .bytes(proofOf(secret, exporter, said))
    .bytes(resume);
  return encodeFrame(frameTypes.hello, 0, body.finish());
}

/** HELLO as it was read; nothing in it is proven. */
export interface ReceivedHello {
  readonly carrier: number;
  readonly user: string;
  /** `undefined`: a new session. */
  readonly session: Uint8Array | undefined;
  readonly said: Uint8Array;
  readonly proof: Uint8Array;
  readonly resume: Uint8Array;
}

/** @throws HelloError `MANYPATH_HELLO` */
export function decodeHello(body: Uint8Array): ReceivedHello {
  try {
    const reader = new ByteReader(body);
    if (reader.uint8() !== version) throw new HelloError('it speaks another version');
    reader.skip(1);
    const id = reader.bytes(sessionIdBytes);
    const carrier = reader.uint32();
    const nameBytes = reader.uint8();
    if (nameBytes > transportLimits.userBytes) throw new HelloError('the name of the user is too long');
    const user = decodeText(reader.bytes(nameBytes));
    const said = body.slice(0, reader.offset);
    const proof = reader.bytes(proofBytes).slice();
    const resume = reader.bytes(proofBytes).slice();
    const session = id.some(byte => byte !== 0) ? id.slice() : undefined;
    return { carrier, user, session, said, proof, resume };
  } catch (error) {
    throw cutShort(error);
  }
}

/** Whether the one who said HELLO on this connection knows the secret; takes the same time whatever is wrong. */
export function provesSecret(hello: ReceivedHello, secret: string, exporter: Uint8Array): boolean {
  return timingSafeEqual(hello.proof, proofOf(secret, exporter, hello.said));
}

/** Whether it knows the key of the session that it wants to go on with. */
export function provesSession(
  hello: ReceivedHello,
  { id, key }: KnownSession,
  exporter: Uint8Array,
): boolean {
  return timingSafeEqual(hello.resume, keyed(key, 'manypath/1 resume', exporter, id));
}

/** What a relay answers. */
export interface Welcome {
  readonly session: KnownSession;
  /** Bytes that may be sent on a tunnel before more are allowed. */
  readonly windowBytes: number;
}

export function encodeWelcome(
  { session, windowBytes }: Welcome,
  secret: string,
  exporter: Uint8Array,
): Uint8Array {
  const body = new ByteWriter(128)
    .uint8(version)
    .uint8(0)
    .bytes(session.id)
    .bytes(session.key)
    .uint32(windowBytes)
    .bytes(keyed(encodeText(secret), 'manypath/1 relay', exporter, session.id));
  return encodeFrame(frameTypes.welcome, 0, body.finish());
}

/** @throws HelloError `MANYPATH_HELLO`, also when the relay does not know the secret */
export function decodeWelcome(body: Uint8Array, secret: string, exporter: Uint8Array): Welcome {
  try {
    const reader = new ByteReader(body);
    if (reader.uint8() !== version) throw new HelloError('it speaks another version');
    reader.skip(1);
    const id = reader.bytes(sessionIdBytes).slice();
    const key = reader.bytes(sessionKeyBytes).slice();
    const windowBytes = reader.uint32();
    const proof = reader.bytes(proofBytes);
    if (!timingSafeEqual(proof, keyed(encodeText(secret), 'manypath/1 relay', exporter, id))) {
      throw new HelloError('whoever answers does not know the secret');
    }
    return { session: { id, key }, windowBytes };
  } catch (error) {
    throw cutShort(error);
  }
}

export function encodeRefused(code: number, words: string): Uint8Array {
  return encodeFrame(
    frameTypes.refused,
    0,
    new ByteWriter(64).uint16(code).bytes(encodeText(words)).finish(),
  );
}

/** Why a relay does not take a carrier: one of {@link refusals}, and words for people. */
export interface Refused {
  readonly code: number;
  readonly words: string;
}

/** @throws HelloError `MANYPATH_HELLO` */
export function decodeRefused(body: Uint8Array): Refused {
  try {
    const reader = new ByteReader(body);
    return { code: reader.uint16(), words: decodeText(reader.bytes()) };
  } catch (error) {
    throw cutShort(error);
  }
}

function proofOf(secret: string, exporter: Uint8Array, said: Uint8Array): Uint8Array {
  return keyed(encodeText(secret), 'manypath/1 gateway', exporter, said);
}

function keyed(key: Uint8Array, purpose: string, exporter: Uint8Array, more: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(purpose).update(exporter).update(more).digest();
}

function cutShort(error: unknown): unknown {
  return error instanceof BytesCutShortError ? new HelloError('it is cut short', error) : error;
}
