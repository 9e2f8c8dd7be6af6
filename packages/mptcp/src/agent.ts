import * as http from 'node:http';
import * as https from 'node:https';
import type { LookupFunction, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectOptions, connect } from './connect.ts';
import type { Lookup } from './resolve.ts';

/** How an agent connects; host and port come from the request. */
export type AgentConnectOptions = Omit<
  ConnectOptions,
  'host' | 'port' | 'signal' | 'onread' | 'allowHalfOpen'
>;

type Made = (error: Error | null, stream: Duplex) => void;

/** What of a request matters for the connection. Node passes more than its types say. */
interface Requested {
  host?: string | null | undefined;
  hostname?: string | null | undefined;
  port?: number | string | null | undefined;
  family?: number | undefined;
  localAddress?: string | undefined;
  lookup?: LookupFunction | undefined;
}

/**
 * An `http.Agent` whose connections are Multipath TCP where the server speaks it. Everything else (maxSockets, …) is
 * Node's, save that `keepAlive` is on by default. A request's `family`, `localAddress` and `lookup` are honoured;
 * what `connect` throws is the request's `error`.
 */
export class Agent extends http.Agent {
  readonly #connecting: AgentConnectOptions;

  constructor(options: http.AgentOptions = {}, connecting: AgentConnectOptions = {}) {
    super({ keepAlive: true, ...options });
    this.#connecting = connecting;
  }

  override createConnection(options: http.ClientRequestArgs, made?: Made): undefined {
    dial({ ...this.#connecting }, options, 80, made);
  }
}

/** The same for https. TLS sessions are kept and resumed as in `https.Agent`. */
export class HttpsAgent extends https.Agent {
  readonly #connecting: AgentConnectOptions;

  constructor(options: https.AgentOptions = {}, connecting: AgentConnectOptions = {}) {
    super({ keepAlive: true, ...options });
    this.#connecting = connecting;
  }

  override createConnection(options: https.RequestOptions, made?: Made): undefined {
    const secure = (socket: Socket): Duplex => {
      const over: https.RequestOptions & { socket: Socket } = { ...options, socket };
      const stream = super.createConnection(over);
      if (stream === null || stream === undefined) throw new TypeError('https.Agent made no TLS socket');
      return stream;
    };
    dial({ ...this.#connecting }, options, 443, made, secure);
  }
}

function dial(
  connecting: AgentConnectOptions,
  request: Requested,
  defaultPort: number,
  made: Made = () => {},
  wrap: (socket: Socket) => Duplex = socket => socket,
): void {
  const { family, localAddress, lookup } = request;
  const options: ConnectOptions = {
    ...connecting,
    host: request.host ?? request.hostname ?? 'localhost',
    port: Number(request.port ?? defaultPort),
    ...(family === 4 || family === 6 ? { family } : {}),
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(lookup === undefined ? {} : { lookup: promisedLookup(lookup) }),
  };
  connect(options)
    .then(socket => wrapOrDestroy(socket, wrap))
    .then(
      stream => made(null, stream),
      // Node's type wants a stream here too; Node itself does not.
      (error: Error) => made(error, undefined as never),
    );
}

/** TLS options that cannot be are only found out here, when the connection is made already. */
export function wrapOrDestroy<T>(socket: Socket, wrap: (socket: Socket) => T): T {
  try {
    return wrap(socket);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Node's callback style of `lookup` as this package's. */
function promisedLookup(lookup: LookupFunction): Lookup {
  return (host, { family }) =>
    new Promise((resolve, reject) => {
      lookup(host, { all: true, family }, (error, found, foundFamily) => {
        if (error !== null && error !== undefined) reject(error);
        else if (typeof found === 'string') resolve([{ address: found, family: foundFamily ?? 0 }]);
        else resolve(found);
      });
    });
}
