import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { tcpOrigin } from './support/origins.ts';
import { ways } from './support/ways.ts';

const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';

/** An origin that tells of each request; what it does then depends on how many came before. */
async function origin(
  then: (socket: Socket, connection: number, request: number) => void,
  bodies: string[] = [],
) {
  let connections = 0;
  const requests: string[] = [];
  const place = await tcpOrigin(socket => {
    connections += 1;
    const connection = connections;
    let heard = 0;
    let text = '';
    socket.on('data', bytes => {
      text += bytes.toString('latin1');
      const [head = '', body] = text.split('\r\n\r\n');
      if (body === undefined || body.length < Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)) return;
      requests.push(head.split(' ', 1)[0] ?? '');
      bodies.push(body);
      text = '';
      heard += 1;
      then(socket, connection, heard);
    });
  });
  return { ...place, requests, connections: () => connections };
}

/** Lets what an origin did to an idle connection arrive: a turn of the loop for each hop of the way. */
const settle = () => new Promise(resolve => setTimeout(resolve, 150));

const endings: Record<string, (socket: Socket) => void> = {
  ends: socket => void socket.end(),
  resets: socket => void socket.resetAndDestroy(),
  'says that it waited too long on': socket => void socket.end('HTTP/1.1 408 Too Late\r\n\r\n'),
  'says what nobody asked for on': socket =>
    void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad'),
};

const refusals: Record<string, (socket: Socket) => void> = {
  ends: socket => void socket.end(),
  resets: socket => void socket.resetAndDestroy(),
  'answers with 408 on': socket => void socket.end('HTTP/1.1 408 T\r\nConnection: close\r\n\r\n'),
};

describe.each(Object.entries(ways))('by %s, an origin', (_name, open) => {
  for (const [what, end] of Object.entries(endings)) {
    it(`that ${what} an idle connection is asked on another one`, async () => {
      const way = await open();
      const place = await origin(socket => {
        socket.write(answer, () => setTimeout(() => end(socket), 20));
      });
      for (const method of ['GET', 'POST', 'GET', 'PATCH']) {
        expect(await way.ask(place, { method })).toMatchObject({ status: 200, body: 'hello', whole: true });
        await settle();
      }
      expect(place.requests).toEqual(['GET', 'POST', 'GET', 'PATCH']);
    });
  }

  it('that knows its client by the connection (NTLM, Negotiate) gets what comes next on the same one', async () => {
    const way = await open();
    const place = await origin(socket => void socket.write(answer));
    for (const headers of [
      {},
      { Authorization: 'NTLM TlRMTVNTUAAB' },
      { Authorization: 'NTLM TlRMTVNTUAAD' },
      {},
    ])
      expect(await way.ask(place, { method: 'POST', headers })).toMatchObject({ status: 200, body: 'hello' });
    expect(place.connections()).toBe(1);
  });

  for (const [what, end] of Object.entries(refusals)) {
    it(`that ${what} a connection just when a request comes that must not be sent twice gets it on a new one`, async () => {
      const way = await open();
      const bodies: string[] = [];
      const place = await origin((socket, _connection, request) => {
        if (request === 2) end(socket);
        else socket.write(answer);
      }, bodies);
      for (const method of ['GET', 'POST', 'PATCH', 'POST']) {
        const asked = { method, headers: { 'Content-Length': method === 'GET' ? '0' : '3' } };
        const body = method === 'GET' ? [] : ['abc'];
        expect(await way.ask(place, { ...asked, body })).toMatchObject({ status: 200, body: 'hello' });
      }
      expect(bodies).toEqual(['', 'abc', 'abc', 'abc']);
    });

    it(`that ${what} a connection just when the next request comes is asked again, where that does no harm`, async () => {
      const way = await open();
      const place = await origin((socket, connection, request) => {
        if (connection === 1 && request === 2) end(socket);
        else socket.write(answer);
      });
      await way.ask(place);
      expect(await way.ask(place)).toMatchObject({ status: 200, body: 'hello' });
      expect(place.connections()).toBe(2);
    });

    it(`that ${what} a connection when a PUT comes gets all of its body again`, async () => {
      const way = await open();
      const bodies: string[] = [];
      const place = await origin((socket, connection, request) => {
        if (connection === 1 && request === 2) end(socket);
        else socket.write(answer);
      }, bodies);
      await way.ask(place);
      const headers = { 'content-length': '10' };
      const put = { method: 'PUT', headers, body: ['first', 'other'] };
      expect(await way.ask(place, put)).toMatchObject({ status: 200, body: 'hello' });
      expect(place.connections()).toBe(2);
      expect(bodies.at(-1)).toBe('firstother');
    });
  }

  it('that breaks off when a POST comes is not asked again', async () => {
    const way = await open();
    const place = await origin((socket, connection) => {
      if (connection === 2) socket.resetAndDestroy();
      else socket.write(answer);
    });
    await way.ask(place);
    expect(await way.ask(place, { method: 'POST' })).toMatchObject({ status: 502 });
    expect(place.requests).toEqual(['GET', 'POST']);
  });
});
