import { isIP, type Socket } from 'node:net';
import * as tls from 'node:tls';
import { type AgentConnectOptions, wrapOrDestroy } from './agent.ts';
import { connect } from './connect.ts';
import { ConnectError, ConnectTimeoutError } from './errors.ts';
import { mptcpLimits } from './limits.ts';

export interface UndiciConnectorOptions extends AgentConnectOptions {
  /** Options of `tls.connect` for https origins, e.g. `ca`. */
  tls?: tls.ConnectionOptions;
  /** Offer HTTP/2 as well; set `allowH2` of the undici dispatcher too. Default false. */
  allowH2?: boolean;
}

/** What undici asks of a connector (undici's docs/api/Connector.md). */
export interface UndiciConnectOptions {
  hostname: string;
  host?: string | undefined;
  protocol: string;
  port: string | number;
  servername?: string | undefined;
  localAddress?: string | null | undefined;
  httpSocket?: Socket | undefined;
}

export type UndiciConnectCallback = (...result: [null, Socket | tls.TLSSocket] | [Error, null]) => void;

/**
 * A connector for undici: `new Agent({ connect: undiciConnector() })`, also behind `fetch`. undici is not needed
 * to load this package.
 */
export function undiciConnector(
  options: UndiciConnectorOptions = {},
): (request: UndiciConnectOptions, done: UndiciConnectCallback) => void {
  const { tls: secure = {}, allowH2 = false, ...connecting } = options;
  const most = options.limits?.tlsSessions ?? mptcpLimits.tlsSessions;
  const sessions = new Map<string, Buffer>();

  const overTls = (socket: Socket, request: UndiciConnectOptions): Promise<tls.TLSSocket> => {
    const servername = request.servername || secure.servername || nameOf(request);
    const key = `${servername}|${request.port}`;
    const session = sessions.get(key);
    const stream = tls.connect({
      ...secure,
      socket,
      ...(servername === ''
        ? { host: bare(request.hostname) }
        : { servername, host: bare(request.hostname) }),
      ...(session === undefined ? {} : { session }),
      ALPNProtocols: allowH2 ? ['h2', 'http/1.1'] : ['http/1.1'],
    });
    stream.on('session', fresh => {
      sessions.delete(key);
      sessions.set(key, fresh);
      const [oldest] = sessions.keys();
      if (sessions.size > most && oldest !== undefined) sessions.delete(oldest);
    });
    return secured(
      stream,
      `${request.hostname}:${request.port || 443}`,
      connecting.timeout ?? mptcpLimits.connectTimeoutMs,
    );
  };

  return (request, done) => {
    const { protocol, hostname, localAddress, httpSocket } = request;
    const made = async (): Promise<Socket | tls.TLSSocket> => {
      const socket =
        httpSocket ??
        (await connect({
          ...connecting,
          host: hostname,
          port: Number(request.port || (protocol === 'https:' ? 443 : 80)),
          ...(typeof localAddress === 'string' ? { localAddress } : {}),
        }));
      return protocol === 'https:' ? wrapOrDestroy(socket, below => overTls(below, request)) : socket;
    };
    made().then(
      socket => done(null, socket),
      (error: Error) => done(error, null),
    );
  };
}

/** Waits for the handshake. The socket is destroyed, and the one below with it, when it fails or takes too long. */
function secured(stream: tls.TLSSocket, target: string, timeout: number): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => void stream.destroy(new ConnectTimeoutError(`${target} (TLS)`, timeout, []));
    const timer = timeout > 0 ? setTimeout(giveUp, timeout) : undefined;
    const address = stream.remoteAddress ?? target;
    stream.once('error', reject);
    stream.once('close', () => {
      clearTimeout(timer);
      const error = new Error('the connection was closed during the TLS handshake');
      reject(new ConnectError(target, [{ address, error }]));
    });
    stream.once('secureConnect', () => {
      clearTimeout(timer);
      stream.off('error', reject);
      resolve(stream);
    });
  });
}

/** The name for SNI; empty for IP addresses, which RFC 6066 §3 does not allow there. */
function nameOf({ host, hostname }: UndiciConnectOptions): string {
  const name = bare(hostname || (host ?? ''));
  return isIP(name) === 0 ? name : '';
}

function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
