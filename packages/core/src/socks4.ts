import { isHostName } from './authority.ts';
import { concatBytes, decodeLatin1 } from './bytes.ts';
import { formatIpAddress } from './ip-address.ts';
import { SocksProtocolError } from './socks-error.ts';
import type { SocksEvent } from './socks5.ts';

/** Reply codes of a SOCKS4 server. */
export const socks4Replies = { granted: 90, rejected: 91 } as const;

export type Socks4Reply = (typeof socks4Replies)[keyof typeof socks4Replies];

const version = 4;
const commandConnect = 1;
/** Bytes before the user name: version, command, port, address. */
const fixedBytes = 8;
/** Bytes of a user name, and of a host name, with the zero at its end. */
const longestText = 256;

/**
 * The server's side of a SOCKS4 handshake, CONNECT only, with names as SOCKS4a has them: Ying-Da Lee, "SOCKS: A protocol for TCP
 * proxy across firewalls", and "SOCKS 4A: A Simple Extension to SOCKS 4 Protocol". The user name is read and not looked at.
 *
 * Bytes in, events out: feed it whatever arrives, in pieces of any size, until it tells the request.
 */
export class Socks4ServerHandshake {
  #unread: Uint8Array = new Uint8Array();
  #done = false;

  /**
   * @throws SocksProtocolError `MANYPATH_SOCKS_PROTOCOL`
   * @throws Error when the request was told already: what follows belongs to the target.
   */
  push(bytes: Uint8Array): SocksEvent[] {
    if (this.#done) throw new Error('the SOCKS4 handshake is complete');
    this.#unread = concatBytes([this.#unread, bytes]);
    const request = this.#readRequest();
    if (request === undefined) return [];
    this.#done = true;
    return [request];
  }

  #readRequest(): SocksEvent | undefined {
    const bytes = this.#unread;
    const [first, command] = bytes;
    if (first !== undefined && first !== version) throw new SocksProtocolError(`version ${first}`);
    if (command !== undefined && command !== commandConnect)
      throw new SocksProtocolError(`command ${command}`, socks4Reply(socks4Replies.rejected));
    if (bytes.length < fixedBytes) return undefined;
    const userEnd = endOfText(bytes, fixedBytes);
    if (userEnd === undefined) return undefined;
    const port = ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0);
    const address = bytes.subarray(4, 8);
    // 0.0.0.x, with x other than zero: a name follows.
    if (address.subarray(0, 3).some(byte => byte !== 0) || address[3] === 0) {
      const target = { host: formatIpAddress(address), port };
      return { type: 'request', target, rest: bytes.subarray(userEnd + 1) };
    }
    const nameEnd = endOfText(bytes, userEnd + 1);
    if (nameEnd === undefined) return undefined;
    const host = decodeLatin1(bytes.subarray(userEnd + 1, nameEnd));
    if (!isHostName(host))
      throw new SocksProtocolError(
        'the host name has bytes no name has',
        socks4Reply(socks4Replies.rejected),
      );
    return { type: 'request', target: { host, port }, rest: bytes.subarray(nameEnd + 1) };
  }
}

/** Where a text that a zero ends does so; `undefined` while the zero is missing. */
function endOfText(bytes: Uint8Array, start: number): number | undefined {
  const end = bytes.indexOf(0, start);
  const length = (end === -1 ? bytes.length : end) - start;
  if (length >= longestText)
    throw new SocksProtocolError('a name is too long', socks4Reply(socks4Replies.rejected));
  return end === -1 ? undefined : end;
}

/** A server's reply. The port and the address in it mean nothing in answer to CONNECT. */
export function socks4Reply(code: Socks4Reply): Uint8Array {
  return Uint8Array.of(0, code, 0, 0, 0, 0, 0, 0);
}
