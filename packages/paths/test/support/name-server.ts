import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import {
  type DnsAnswer,
  type DnsQuery,
  dnsResponseCodes,
  encodeDnsResponse,
  parseDnsQuery,
} from '@manypath/core';

/** Answers a question; `undefined` leaves it without an answer. */
export type Answering = (query: DnsQuery) => DnsAnswer | undefined;

export interface NameServerOptions {
  readonly host?: string;
  readonly port?: number;
  /** Send nothing but "too long, ask over TCP" in datagrams. */
  readonly truncates?: boolean;
  /** Refuse questions with an OPT record, as servers from before RFC 2671 do. */
  readonly refusesEdns?: boolean;
}

/** A name server that speaks UDP and TCP. */
export interface TestNameServer extends AsyncDisposable {
  readonly port: number;
  /** What was asked, as `TYPE name` with `tcp` in front where it came over TCP. */
  readonly asked: string[];
}

export async function startNameServer(
  answering: Answering,
  { host = '127.0.0.1', port = 0, truncates = false, refusesEdns = false }: NameServerOptions = {},
): Promise<TestNameServer> {
  const asked: string[] = [];
  const respond = (message: Uint8Array, over: '' | 'tcp '): Buffer | undefined => {
    const query = parseDnsQuery(message);
    asked.push(`${over}${query.type} ${query.name}`);
    if (refusesEdns && query.edns) {
      return Buffer.from(encodeDnsResponse({ ...query, edns: false }, { code: dnsResponseCodes.malformed }));
    }
    const answer = answering(query);
    if (answer === undefined) return undefined;
    const isCut = truncates && over === '';
    const response = Buffer.from(encodeDnsResponse(query, isCut ? { code: answer.code } : answer));
    if (isCut) response.writeUInt8(response.readUInt8(2) | 0x02, 2);
    return response;
  };
  const stream = createServer(socket => {
    socket.on('error', () => {});
    socket.on('data', message => {
      const response = respond(message.subarray(2), 'tcp ');
      if (response === undefined) return;
      // In two pieces, as a network may deliver it.
      socket.write(Buffer.from([response.length >> 8, response.length & 0xff]));
      setImmediate(() => socket.write(response));
    });
  });
  stream.listen(port, host);
  await once(stream, 'listening');
  const { port: bound } = stream.address() as { port: number };
  const datagrams = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  datagrams.on('message', (message, from) => {
    const response = respond(message, '');
    if (response !== undefined) datagrams.send(response, from.port, from.address);
  });
  datagrams.bind(bound, host);
  await once(datagrams, 'listening');
  return {
    port: bound,
    asked,
    async [Symbol.asyncDispose]() {
      datagrams.close();
      stream.close();
    },
  };
}
