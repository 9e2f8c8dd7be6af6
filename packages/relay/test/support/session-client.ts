import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { type Pairing, systemClock } from '@manypath/core';
import { frameTypes, Session, type TunnelReset, type TunnelUser } from '@manypath/session';
import {
  CarrierSocket,
  decodeRefused,
  decodeWelcome,
  encodeHello,
  exporterBytes,
  exporterLabel,
  firstFrame,
  type Hello,
  sessionProtocol,
  type Welcome,
} from '@manypath/transport';
import { tlsTo } from './client.ts';

/** A connection on which sessions are spoken, before HELLO. */
export async function carrierTo(pairing: Pairing): Promise<TLSSocket> {
  return tlsTo(pairing, [sessionProtocol]);
}

/** What belongs to this connection alone. */
export function exporterOf(socket: TLSSocket): Buffer {
  return socket.exportKeyingMaterial(exporterBytes, exporterLabel, Buffer.alloc(0));
}

/** HELLO as a paired gateway says it, but for what is given otherwise. */
export function helloOn(socket: TLSSocket, pairing: Pairing, otherwise: Partial<Hello> = {}): Uint8Array {
  const { user, secret } = pairing;
  return encodeHello({ carrier: 1, user, secret, exporter: exporterOf(socket), ...otherwise });
}

/** What a relay answered to HELLO. */
export type Answer =
  | { readonly welcome: Welcome; readonly rest: Uint8Array }
  | { readonly refused: { readonly code: number; readonly words: string } };

/** Waits for the answer to HELLO. @throws HelloError, there is none */
export async function answerOn(socket: TLSSocket, pairing: Pairing): Promise<Answer> {
  const { type, body, rest } = await firstFrame(socket, new AbortController().signal);
  if (type === frameTypes.refused) return { refused: decodeRefused(body) };
  return { welcome: decodeWelcome(body, pairing.secret, exporterOf(socket)), rest };
}

/** Says HELLO and waits for the answer. */
export async function sayHello(
  socket: TLSSocket,
  pairing: Pairing,
  otherwise: Partial<Hello> = {},
): Promise<Answer> {
  socket.write(helloOn(socket, pairing, otherwise));
  return answerOn(socket, pairing);
}

/** Waits until the relay has closed a connection. */
export async function closed(socket: TLSSocket): Promise<void> {
  socket.resume();
  if (socket.destroyed || socket.readableEnded) return;
  await Promise.race([once(socket, 'end'), once(socket, 'close')]).catch(() => {});
}

/** The session of a paired gateway, with one carrier. */
export interface ClientSession {
  readonly session: Session;
  readonly socket: TLSSocket;
  readonly welcome: Welcome;
}

/** Begins a session, or goes on with one. */
export async function beginSession(pairing: Pairing): Promise<ClientSession> {
  const socket = await carrierTo(pairing);
  const answer = await sayHello(socket, pairing);
  if ('refused' in answer) throw new Error(answer.refused.words);
  const session = new Session({
    end: 'gateway',
    clock: systemClock,
    defer: setImmediate,
    limits: { windowBytes: answer.welcome.windowBytes },
    events: {
      onOpen: tunnel => tunnel.reset({ code: 4, message: '' }),
      onLeft: () => {},
    },
  });
  new CarrierSocket(socket).carry(session, 1, answer.rest, () => {});
  return { session, socket, welcome: answer.welcome };
}

/** Opens a tunnel, sends something, and waits for as much in return. */
export function echoOver(session: Session, target: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let came = '';
    const user: TunnelUser = {
      onData(bytes) {
        came += Buffer.from(bytes).toString();
        tunnel.consumed(bytes.length);
        if (came.length >= text.length) resolve(came);
      },
      onFinish: () => reject(new Error('it ended')),
      onReset: ({ code, message }: TunnelReset) => reject(new Error(`${code} ${message}`)),
      onDrain() {},
    };
    const tunnel = session.open({ request: { kind: 'tcp', target, publicOnly: false }, user });
    tunnel.write(Buffer.from(text));
  });
}
