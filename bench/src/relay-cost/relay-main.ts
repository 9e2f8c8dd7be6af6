/**
 * A relay of few lines: takes connections on one port and relays each to another port, with `relayBytes` or
 * with plain `pipe`.
 */
import type { Socket } from 'node:net';
import { relayBytes } from '@manypath/forward';
import { connect, createServer } from '@manypath/mptcp';

const [engine = 'manypath', port = '0', host = '127.0.0.1', target = '0', mptcp = 'true'] =
  process.argv.slice(2);

const server = await createServer(
  { host: '127.0.0.1', port: Number(port), allowHalfOpen: true, pauseOnConnect: true },
  client => {
    client.on('error', () => client.destroy());
    client.setNoDelay(true);
    connect({ host, port: Number(target), allowHalfOpen: true, mptcp: mptcp === 'true' }).then(
      upstream => (engine === 'pipe' ? pipe(client, upstream) : void relayBytes(client, upstream)),
      () => client.destroy(),
    );
  },
);
if (!server.listening) throw new Error('the relay does not listen');
process.send?.('ready');

function pipe(client: Socket, upstream: Socket): void {
  upstream.on('error', () => upstream.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
}
