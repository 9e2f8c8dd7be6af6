import type { Authority } from './authority.ts';
import { isHostName } from './authority.ts';
import { concatBytes, decodeLatin1 } from './bytes.ts';
import { formatIpAddress, parseIpAddress } from './ip-address.ts';
import { SocksProtocolError } from './socks-error.ts';

/** Reply codes of a SOCKS5 server; RFC 1928 §6. */
export const socks5Replies = {
  succeeded: 0,
  generalFailure: 1,
  notAllowed: 2,
  networkUnreachable: 3,
  hostUnreachable: 4,
  connectionRefused: 5,
  ttlExpired: 6,
  commandNotSupported: 7,
  addressTypeNotSupported: 8,
} as const;

export type Socks5Reply = (typeof socks5Replies)[keyof typeof socks5Replies];

/** What a {@link Socks5ServerHandshake} or a SOCKS4 handshake finds. */
export type SocksEvent =
  /** Send this to the client. */
  | { readonly type: 'reply'; readonly bytes: Uint8Array }
  /** The client wants this connection. `rest` are its first bytes for the target. */
  | { readonly type: 'request'; readonly target: Authority; readonly rest: Uint8Array };

const version = 5;
const noAuthentication = 0;
const noAcceptableMethods = 0xff;
const commandConnect = 1;
const addressTypes = { ipv4: 1, name: 3, ipv6: 4 } as const;

/**
 * The server's side of a SOCKS5 handshake without authentication, CONNECT only; RFC 1928 §3–§5.
 *
 * Bytes in, events out: feed it whatever arrives, in pieces of any size, until it tells the request. The format
 * bounds itself: at most 257 bytes of methods and 262 of request are kept.
 */
export class Socks5ServerHandshake {
  #unread: Uint8Array = new Uint8Array();
  #state: 'methods' | 'request' | 'done' = 'methods';

  /**
   * @throws SocksProtocolError `MANYPATH_SOCKS_PROTOCOL`
   * @throws Error when the request was told already: what follows belongs to the target.
   */
  push(bytes: Uint8Array): SocksEvent[] {
    if (this.#state === 'done') throw new Error('the SOCKS5 handshake is complete');
    this.#unread = concatBytes([this.#unread, bytes]);
    const events: SocksEvent[] = [];
    if (this.#state === 'methods') {
      const reply = this.#readMethods();
      if (reply === undefined) return events;
      events.push(reply);
      this.#state = 'request';
    }
    if (this.#state === 'request') {
      const request = this.#readRequest();
      if (request === undefined) return events;
      events.push(request);
      this.#state = 'done';
    }
    return events;
  }

  #readMethods(): SocksEvent | undefined {
    const [first, count] = this.#unread;
    if (first !== undefined && first !== version) throw new SocksProtocolError(`version ${first}`);
    if (count === undefined || this.#unread.length < 2 + count) return undefined;
    const offered = this.#unread.subarray(2, 2 + count);
    this.#unread = this.#unread.subarray(2 + count);
    if (offered.includes(noAuthentication)) {
      return { type: 'reply', bytes: Uint8Array.of(version, noAuthentication) };
    }
    throw new SocksProtocolError('it insists on authentication', Uint8Array.of(version, noAcceptableMethods));
  }

  #readRequest(): SocksEvent | undefined {
    const bytes = this.#unread;
    const [first, command, , addressType, nameLength] = bytes;
    if (first !== undefined && first !== version) {
      throw new SocksProtocolError(
        `version ${first} in the request`,
        socks5Reply(socks5Replies.generalFailure),
      );
    }
    if (command !== undefined && command !== commandConnect) {
      throw new SocksProtocolError(`command ${command}`, socks5Reply(socks5Replies.commandNotSupported));
    }
    if (addressType === undefined) return undefined;
    const [start, end] = addressBounds(addressType, nameLength);
    if (bytes.length < end + 2) return undefined;
    const host = hostFrom(addressType, bytes.subarray(start, end));
    const port = ((bytes[end] ?? 0) << 8) | (bytes[end + 1] ?? 0);
    return { type: 'request', target: { host, port }, rest: bytes.subarray(end + 2) };
  }
}

/** Where the address is in a request. While the length of a name is missing, it counts as the longest. */
function addressBounds(addressType: number, nameLength = 0xff): [start: number, end: number] {
  switch (addressType) {
    case addressTypes.ipv4:
      return [4, 8];
    case addressTypes.ipv6:
      return [4, 20];
    case addressTypes.name:
      return [5, 5 + nameLength];
    default:
      throw new SocksProtocolError(
        `address type ${addressType}`,
        socks5Reply(socks5Replies.addressTypeNotSupported),
      );
  }
}

function hostFrom(addressType: number, bytes: Uint8Array): string {
  if (addressType !== addressTypes.name) return formatIpAddress(bytes);
  // Chromium sends every host as a name, IP literals too.
  const name = decodeLatin1(bytes);
  const literal = name.replace(/^\[(.*)\]$/, '$1');
  if (parseIpAddress(literal) !== undefined) return literal;
  if (isHostName(name)) return name;
  throw new SocksProtocolError(
    'the host name has bytes no name has',
    socks5Reply(socks5Replies.generalFailure),
  );
}

/**
 * A server's reply; RFC 1928 §6.
 *
 * @param bound The address that the server dialled from; unknown ones are sent as 0.0.0.0:0, as most servers do.
 */
export function socks5Reply(code: Socks5Reply, bound?: Authority): Uint8Array {
  const address = parseIpAddress(bound?.host ?? '0.0.0.0') ?? { family: 4, bytes: new Uint8Array(4) };
  const type = address.family === 4 ? addressTypes.ipv4 : addressTypes.ipv6;
  const port = bound?.port ?? 0;
  return Uint8Array.of(version, code, 0, type, ...address.bytes, port >> 8, port & 0xff);
}
