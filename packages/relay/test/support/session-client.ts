import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { type Pairing, systemClock } from '@manypath/core';
import { Session, type TunnelReset, type TunnelUser } from '@manypath/session';
import {
  answerToHello,
  CarrierSocket,
  encodeHello,
  exporterOf,
  type Hello,
  type HelloAnswer,
  sessionProtocol,
  type Welcome,
} from '@manypath/transport';
import { tlsTo } from './client.ts';

/** A connection on which sessions are spoken, before HELLO. */
export async function carrierTo(pairing: Pairing): Promise<TLSSocket> {
  return tlsTo(pairing, [sessionProtocol]);
}

/** HELLO as a paired gateway says it, but for what is given otherwise. */
export function helloOn(socket: TLSSocket, pairing: Pairing, otherwise: Partial<Hello> = {}): Uint8Array {
  const { user, secret } = pairing;
  return encodeHello({ carrier: 1, user, secret, exporter: exporterOf(socket), ...otherwise });
}

/** Waits for the answer to HELLO. @throws HelloError, there is none */
export function answerOn(socket: TLSSocket, { secret }: Pairing): Promise<HelloAnswer> {
  return answerToHello(socket, secret, new AbortController().signal);
}

/** Says HELLO and waits for the answer. */
export async function sayHello(
  socket: TLSSocket,
  pairing: Pairing,
  otherwise: Partial<Hello> = {},
): Promise<HelloAnswer> {
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
