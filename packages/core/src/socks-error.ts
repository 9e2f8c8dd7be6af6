import { ManypathError } from './errors.ts';

/** The client does not speak SOCKS as RFC 1928 or its predecessor has it. */
export class SocksProtocolError extends ManypathError {
  /** What to send before the connection is closed; empty when the client could not read it. */
  readonly reply: Uint8Array;

  constructor(reason: string, reply: Uint8Array = new Uint8Array()) {
    super('MANYPATH_SOCKS_PROTOCOL', `not a SOCKS request: ${reason}`, {
      hint: 'set the program to SOCKS version 5 without a user name, or to version 4a',
    });
    this.reply = reply;
  }
}
