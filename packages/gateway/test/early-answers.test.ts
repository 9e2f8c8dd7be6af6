import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { allOf } from './support/client.ts';
import { tcpOrigin } from './support/origins.ts';
import { proxyWithRelay, straightProxy, ways } from './support/ways.ts';

const large = Buffer.alloc(20_000_000, 'x');
const pieces = Array.from({ length: 20 }, (_, at) => large.subarray(at * 1_000_000, (at + 1) * 1_000_000));

/** An origin that answers as soon as it has seen a head. @returns where, and how many bytes it has read. */
async function early(answer: string, then: (socket: Socket) => void) {
  let bytes = 0;
  const place = await tcpOrigin(socket => {
    socket.once('data', first => {
      bytes += first.length;
      socket.on('data', more => {
        bytes += more.length;
      });
      socket.write(answer);
      then(socket);
    });
  });
  return { ...place, read: () => bytes };
}

const manners: Record<string, (socket: Socket) => void> = {
  'reads the rest and keeps the connection': () => {},
  'reads nothing more and keeps the connection': socket => void socket.pause(),
  'ends its direction and reads the rest': socket => void socket.end(),
  'closes the connection': socket => void setTimeout(() => socket.destroy(), 5),
  'resets the connection at once': socket => void setTimeout(() => socket.resetAndDestroy(), 5),
};

describe.each(Object.entries(ways))(
  'by %s, an answer that comes before the request is over',
  (_name, open) => {
    for (const [manner, then] of Object.entries(manners)) {
      it(`reaches its client when the origin ${manner}`, { timeout: 30_000 }, async () => {
        const way = await open();
        const place = await early('HTTP/1.1 405 No\r\nContent-Length: 4\r\n\r\nstop', then);
        const headers = { 'content-length': String(large.length) };
        const answer = await way.ask(place, { method: 'POST', headers, body: pieces });
        expect(answer).toMatchObject({ status: 405, body: 'stop', whole: true });
        // The next one is served as if nothing had been.
        const next = await early('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext', () => {});
        expect(await way.ask(next)).toMatchObject({ status: 200, body: 'next' });
      });
    }

    it('does not keep the origin from getting the rest of it', { timeout: 30_000 }, async () => {
      const way = await open();
      const place = await early('HTTP/1.1 202 Go On\r\nContent-Length: 2\r\n\r\nok', () => {});
      const headers = { 'transfer-encoding': 'chunked' };
      expect(await way.ask(place, { method: 'POST', headers, body: pieces })).toMatchObject({ status: 202 });
      await expect.poll(place.read, { timeout: 10_000 }).toBeGreaterThan(large.length);
    });

    it('may be in two parts with the request in between', { timeout: 30_000 }, async () => {
      const way = await open();
      const place = await tcpOrigin(socket => {
        socket.once('data', () =>
          socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n'),
        );
        socket.on('data', bytes => {
          if (bytes.subarray(-5).equals(Buffer.from('0\r\n\r\n'))) socket.write('6\r\nsecond\r\n0\r\n\r\n');
        });
      });
      const headers = { 'transfer-encoding': 'chunked' };
      const body = pieces.slice(0, 4);
      expect(await way.ask(place, { method: 'POST', headers, body })).toMatchObject({
        body: 'firstsecond',
        whole: true,
      });
    });
  },
);

describe.each([
  ['a gateway, straight', straightProxy],
  ['a gateway and its relay', proxyWithRelay],
])('by %s, a client that reads nothing before it has sent all', (_name, proxyOf) => {
  for (const [manner, then] of Object.entries(manners)) {
    for (const version of ['1.1', '1.0']) {
      it(`in HTTP/${version} gets its answer when the origin ${manner}`, { timeout: 30_000 }, async () => {
        const { connect, host } = await proxyOf();
        const place = await early('HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\n\r\nstop', then);
        const socket = (await connect()) as Socket;
        socket.pause();
        socket.write(
          `POST http://${host}:${place.port}/ HTTP/${version}\r\nHost: x\r\nConnection: close\r\n` +
            `Content-Length: ${large.length}\r\n\r\n`,
        );
        await new Promise(resolve => socket.write(large, resolve));
        expect((await allOf(socket)).toString('latin1')).toMatch(
          /^HTTP\/1\.1 413 Too Much\r\n(?:.+\r\n)*\r\nstop$/,
        );
      });
    }
  }
});
