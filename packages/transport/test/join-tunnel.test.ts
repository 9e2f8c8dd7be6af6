import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { systemClock } from '@manypath/core';
import { type Carrier, Session, type Tunnel, type TunnelReset } from '@manypath/session';
import { expect, it, onTestFinished } from 'vitest';
import { TunnelJoint } from '../src/join-tunnel.ts';

/** Two ends of a session without a network in between. */
function sessions(onOpen: (tunnel: Tunnel) => void) {
  const ends = (['gateway', 'relay'] as const).map(
    end =>
      new Session({ end, clock: systemClock, defer: setImmediate, events: { onOpen, onLeft: () => {} } }),
  );
  const [gateway, relay] = ends;
  if (gateway === undefined || relay === undefined) throw new Error('there are two');
  const carriers: Carrier[] = [];
  ends.forEach((session, index) => {
    const send = (pieces: readonly Uint8Array[]): void => {
      const [other, carrier] = [ends[1 - index], carriers[1 - index]];
      if (other === undefined || carrier === undefined) return;
      for (const piece of pieces) other.receive(carrier, Uint8Array.from(piece));
    };
    carriers.push(session.attach(1, { send, isFull: false }));
  });
  return { gateway, relay };
}

/** A socket that nobody has read from, to an origin that has answered and broken off. */
async function answeredAndReset(): Promise<Socket> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.pause().on('error', () => {});
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  const [[origin]] = (await Promise.all([once(server, 'connection'), once(socket, 'connect')])) as [
    [Socket],
    [],
  ];
  await new Promise(resolve => origin.write('an early answer', resolve));
  origin.resetAndDestroy();
  await once(origin, 'close');
  return socket;
}

it('delivers what a target said before it broke off', async () => {
  const socket = await answeredAndReset();
  const { gateway } = sessions(tunnel => {
    const joint = new TunnelJoint(socket, tunnel, () => {});
    tunnel.user = joint;
    tunnel.accept();
    joint.start();
  });
  let said = '';
  const reset = new Promise<TunnelReset>(resolve => {
    const user = {
      onData: (bytes: Uint8Array) => {
        said += Buffer.from(bytes).toString();
      },
      onFinish: () => {},
      onReset: resolve,
      onDrain: () => {},
    };
    const request = { kind: 'tcp', target: 'a.example:80', publicOnly: false } as const;
    gateway.open({ request, user }).write(Buffer.from('a request'));
  });
  await reset;
  expect(said).toBe('an early answer');
});

it('loses nothing of what a socket has read when it goes over to reading in bulk', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const far = connect({ port, host: '127.0.0.1' });
  const [socket] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    for (const end of [far, socket]) end.destroy();
    server.close();
  });
  socket.pause();
  // As a front leaves them that has read more than its request.
  const held = [1, 2, 3].map(byte => Buffer.alloc(150_000, byte));
  for (const piece of [...held].reverse()) socket.unshift(piece);
  const { gateway } = sessions(tunnel => {
    const joint = new TunnelJoint(socket, tunnel, () => {});
    tunnel.user = joint;
    tunnel.accept();
    joint.start();
  });
  const parts: Buffer[] = [];
  const finished = new Promise<void>(resolve => {
    const tunnel = gateway.open({
      request: { kind: 'tcp', target: 'anywhere:1', publicOnly: false },
      user: {
        onData: bytes => {
          parts.push(Buffer.from(bytes));
          tunnel.consumed(bytes.length);
        },
        onFinish: resolve,
        onReset: () => {},
        onDrain: () => {},
      },
    });
  });
  far.end('the last of it');
  await finished;
  expect(Buffer.concat(parts).equals(Buffer.concat([...held, Buffer.from('the last of it')]))).toBe(true);
});

it('passes on the end of a socket that came before it began', async () => {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [socket] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    for (const end of [far, socket]) end.destroy();
    server.close();
  });
  far.end();
  socket.resume();
  await once(socket, 'end');
  const { gateway } = sessions(tunnel => {
    const joint = new TunnelJoint(socket, tunnel, () => {});
    tunnel.user = joint;
    tunnel.accept();
    joint.start();
  });
  await new Promise<void>(resolve => {
    const user = { onData: () => {}, onFinish: resolve, onReset: () => {}, onDrain: () => {} };
    gateway.open({ request: { kind: 'tcp', target: 'anywhere:1', publicOnly: false }, user });
  });
});
