/**
 * The smallest thing that can stand where the gateway stands: HTTP CONNECT and absolute-form GET, and
 * redirected connections. `hosts` maps `name:port` to `address:port`, as a public DNS would.
 */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect, isIP } from 'node:net';
import { isPublicAddress } from '@manypath/core';
import { originalDestination } from '@manypath/mptcp';

export async function startStandInGateway({ hosts = {} } = {}) {
  const targets = [];
  const resolve = async (host, port) => {
    const known = hosts[`${host}:${port}`];
    if (known !== undefined) return known;
    const { address } = await lookup(host);
    if (isIP(host) === 0 && !isPublicAddress(address))
      throw new Error('a name that leads to a local address');
    return { host: address, port };
  };
  const server = createServer(async (incoming, response) => {
    try {
      const url = new URL(incoming.url);
      targets.push(url.host);
      const target = await resolve(url.hostname, Number(url.port || 80));
      const outgoing = request({
        ...target,
        method: incoming.method,
        path: url.pathname + url.search,
        headers: incoming.headers,
      });
      incoming.pipe(outgoing);
      const [answer] = await once(outgoing, 'response');
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    } catch {
      response.writeHead(403).end();
    }
  });
  server.on('connect', async (incoming, socket, head) => {
    socket.on('error', () => {});
    try {
      const { hostname, port } = new URL(`http://${incoming.url}`);
      targets.push(incoming.url);
      const upstream = connect({
        ...(await resolve(hostname.replace(/^\[|\]$/g, ''), Number(port || 80))),
        noDelay: true,
      });
      upstream.on('error', () => socket.destroy());
      await once(upstream, 'connect');
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      socket.pipe(upstream).pipe(socket);
      socket.on('close', () => upstream.destroy());
    } catch {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    proxy: { host: '127.0.0.1', port: server.address().port },
    targets,
    serve: other => other.on('connection', socket => server.emit('connection', socket)),
    serveRedirected: other =>
      other.on('connection', socket => {
        socket.on('error', () => {});
        const { address: host, port } = originalDestination(socket);
        const target = { host, port };
        targets.push(`redirected ${target.host}:${target.port}`);
        const hosts = [target.host, ...otherLoopback(target.host)];
        const dial = ([host, ...others]) => {
          const upstream = connect({ host, port: target.port, noDelay: true, allowHalfOpen: true });
          upstream.on('error', () => (others.length > 0 ? dial(others) : socket.resetAndDestroy()));
          upstream.on('connect', () => socket.pipe(upstream).pipe(socket));
        };
        dial(hosts);
      }),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** The browser took the first of `localhost` that answered, and that was us: the other one may be meant. */
function otherLoopback(host) {
  if (host === '127.0.0.1') return ['::1'];
  return host === '::1' ? ['127.0.0.1'] : [];
}
