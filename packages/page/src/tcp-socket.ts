import { formatAuthority, parseAuthority, type StreamWish } from '@manypath/core';
import { invalidState, networkError } from './errors.ts';
import { type ConsentWait, extensionConnection } from './extension-connection.ts';
import { type StreamInfo, StreamPair } from './stream-pair.ts';

/** Options of {@link TCPSocket}; those of Direct Sockets are taken, and what a gateway decides has no effect. */
export interface TCPSocketOptions extends ConsentWait {
  /** Without effect: the gateway never delays small packets. */
  readonly noDelay?: boolean;
  /** Without effect, but checked as in Direct Sockets: 1000 at least, in milliseconds. */
  readonly keepAliveDelay?: number;
  /** Without effect, but checked: more than 0. */
  readonly sendBufferSize?: number;
  readonly receiveBufferSize?: number;
  /** Without effect: the gateway races both families. */
  readonly dnsQueryType?: 'ipv4' | 'ipv6';
  /** The host may be this computer or in a private network, although its name does not tell; needs consent of its own. Default false. */
  readonly local?: boolean;
  /** Gives up connecting, or breaks the open connection off. */
  readonly signal?: AbortSignal;
}

/** What `opened` tells. */
export interface TCPSocketOpenInfo {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<BufferSource>;
  /** Through a relay, the host as it was named: its address is known to the relay only. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** Of the gateway. */
  readonly localAddress: string;
  readonly localPort: number;
}

/**
 * A TCP connection from a web page, by way of Manypath's extension and gateway, over Multipath TCP where that is possible. The
 * shape is that of `TCPSocket` in WICG Direct Sockets.
 *
 * `opened` and `closed` reject with a DOMException: `NotAllowedError` (the user did not allow it, or has no extension),
 * `NetworkError` (not reached, or broken), `NotSupportedError` (a page that cannot have it), `QuotaExceededError` (too many streams).
 */
export class TCPSocket {
  readonly #pair: Promise<StreamPair>;
  readonly #opened: Promise<TCPSocketOpenInfo>;
  readonly #closed: Promise<void>;
  #isOpen = false;

  /**
   * @param remoteAddress A host name or an address.
   * @throws TypeError for what is no host, port or option
   */
  constructor(remoteAddress: string, remotePort: number, options: TCPSocketOptions = {}) {
    const target = targetOf(remoteAddress, remotePort);
    checkOptions(options);
    this.#pair = openPair(target, options);
    this.#opened = this.#pair.then(pair => openInfoOf(pair));
    this.#closed = this.#pair.then(pair => pair.closed).then(() => undefined);
    this.#opened.then(
      () => {
        this.#isOpen = true;
      },
      () => {},
    );
    this.#closed.catch(() => {});
  }

  get opened(): Promise<TCPSocketOpenInfo> {
    return this.#opened;
  }

  /** Fulfilled when both directions have ended, rejected when it was broken off. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /**
   * Ends it: what was written is delivered first. Rejects with an `InvalidStateError` before it is open, and while one of its
   * streams is locked.
   */
  async close(): Promise<void> {
    if (!this.#isOpen) throw invalidState('the socket is not open');
    const pair = await this.#pair;
    if (pair.readable.locked || pair.writable.locked) throw invalidState('a stream of the socket is locked');
    await pair.end();
  }

  /** How the connection leaves the gateway, over which subflows, and what it carried. */
  async info(): Promise<StreamInfo> {
    return (await this.#pair).info();
  }
}

/**
 * Asks the user in advance, for patterns too: `{host: '*.chat.example', port: 6697}`. Rejects with a `NotAllowedError` when they
 * do not allow it. Without this, each {@link TCPSocket} asks for its own host and port.
 */
export async function requestAccess(wishes: readonly StreamWish[], wait: ConsentWait = {}): Promise<void> {
  const plain = wishes.map(({ host, port, local }) => ({ host, port, ...(local ? { local } : {}) }));
  const connection = await extensionConnection(plain, wait);
  await connection.ask(plain);
}

async function openPair(target: string, options: TCPSocketOptions): Promise<StreamPair> {
  const { local = false, signal } = options;
  const wish = { ...parseAuthority(target), ...(local ? { local } : {}) };
  const connection = await extensionConnection([wish], options);
  signal?.throwIfAborted();
  const pair = new StreamPair(connection, 'tcp', target, local);
  abortOn(pair, signal);
  return pair;
}

/** Breaks a pair off when a signal says so, for as long as it is open. */
export function abortOn(pair: StreamPair, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const onAbort = () => pair.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const done = () => signal.removeEventListener('abort', onAbort);
  pair.closed.then(done, done);
}

async function openInfoOf(pair: StreamPair): Promise<TCPSocketOpenInfo> {
  const { local, remote } = await pair.opened;
  const [localEnd, remoteEnd] = [endOf(local), endOf(remote)];
  return {
    readable: pair.readable,
    writable: pair.writable,
    remoteAddress: remoteEnd.host,
    remotePort: remoteEnd.port,
    localAddress: localEnd.host,
    localPort: localEnd.port,
  };
}

function endOf(text: string): { host: string; port: number } {
  try {
    return parseAuthority(text);
  } catch {
    throw networkError('the gateway told no address');
  }
}

function targetOf(host: string, port: number): string {
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new TypeError('a port is a number from 1 to 65535');
  const bare = String(host).replace(/^\[(.*)\]$/, '$1');
  try {
    return formatAuthority(parseAuthority(formatAuthority({ host: bare, port })));
  } catch {
    throw new TypeError(`"${host}" is no host name and no address`);
  }
}

function checkOptions({
  keepAliveDelay,
  sendBufferSize,
  receiveBufferSize,
  dnsQueryType,
}: TCPSocketOptions): void {
  if (keepAliveDelay !== undefined && !(keepAliveDelay >= 1000))
    throw new TypeError('keepAliveDelay is 1000 milliseconds at least');
  for (const size of [sendBufferSize, receiveBufferSize])
    if (size !== undefined && !(size > 0)) throw new TypeError('a buffer has more than 0 bytes');
  if (dnsQueryType !== undefined && dnsQueryType !== 'ipv4' && dnsQueryType !== 'ipv6')
    throw new TypeError('dnsQueryType is "ipv4" or "ipv6"');
}
