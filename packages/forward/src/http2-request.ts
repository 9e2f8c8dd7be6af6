import { constants as http2, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import {
  endToEndHeaders,
  type HeaderField,
  type HttpBodyLength,
  type HttpResponseHead,
  passableTrailers,
} from '@manypath/core';
import { type AnswerSink, type ExchangeClient, type ExchangeOptions, exchange } from './exchange.ts';
import type { PlainRequest } from './plain-request.ts';

/** A plain request that came on a stream of HTTP/2. */
export interface Http2RequestOptions extends ExchangeOptions {
  readonly stream: ServerHttp2Stream;
  readonly method: string;
  /** Names and values one after the other, as they came. */
  readonly rawHeaders: readonly string[];
  readonly route: Pick<PlainRequest, 'target' | 'path' | 'host'>;
  /** Answers the client when there is nothing of the origin's to pass on. */
  readonly refuse: (error: unknown) => void;
}

/**
 * Forwards a plain request of HTTP/2 to its origin, which is spoken to in HTTP/1.1: bodies of known and unknown length, trailers
 * both ways, 1xx.
 */
export function forwardHttp2Request(options: Http2RequestOptions): void {
  exchange(new Http2Request(options), options);
}

/** Answers ahead of the answer that are passed on, besides 100: no window of HTTP/2 keeps more of them from piling up. */
const mostInformation = 8;

/** Node sends no other one. What is beyond it counts as a failure of the server; RFC 9110 §15. */
const mostStatus = 599;

class Http2Request implements ExchangeClient {
  readonly request: PlainRequest;
  readonly body: ServerHttp2Stream;
  trailers: readonly HeaderField[] = [];
  readonly #options: Http2RequestOptions;
  readonly #left = new AbortController();
  #informed = 0;

  constructor(options: Http2RequestOptions) {
    const { stream, method, rawHeaders, route } = options;
    this.#options = options;
    this.body = stream;
    const headers = requestFields(rawHeaders);
    const given = headers.find(([name]) => name === 'content-length')?.[1];
    // nghttp2 has seen to it that it is one number.
    const length = endsAtHead(stream) ? 0 : given === undefined ? 'chunked' : Number(given);
    this.request = { ...route, method, headers, length, upgrade: undefined };
    stream.once('trailers', (_joined, _flags, raw?: readonly string[]) => {
      this.trailers = pairs(raw ?? []);
    });
    stream.once('close', () => this.#left.abort());
    if (stream.destroyed || stream.closed) this.#left.abort();
  }

  get left(): AbortSignal {
    return this.#left.signal;
  }

  inform({ status, headers }: HttpResponseHead): void {
    const { stream } = this.#options;
    if (status !== 100) this.#informed += 1;
    if (this.#informed > mostInformation || stream.headersSent || stream.destroyed || stream.closed) return;
    stream.additionalHeaders({ ...outgoing(headers), ':status': status });
  }

  respond(
    { status, headers }: HttpResponseHead,
    { length, codings }: { length: HttpBodyLength; codings: readonly string[] },
    onDrain: () => void,
  ): AnswerSink {
    const { stream } = this.#options;
    if (codings.length > 0) throw new Error('the answer has transfer codings, which HTTP/2 does not know');
    const waitForTrailers = length === 'chunked';
    // What the origin does not say is not made up for it.
    stream.respond({ ...outgoing(headers), ':status': status > mostStatus ? 500 : status }, {
      waitForTrailers,
      sendDate: false,
    } as object);
    stream.on('drain', onDrain);
    let trailers: readonly HeaderField[] = [];
    stream.once('wantTrailers', () => stream.sendTrailers(outgoing(trailers)));
    return {
      write: bytes => stream.write(bytes),
      end: fields => {
        stream.off('drain', onDrain);
        trailers = passableTrailers(fields);
        stream.end();
      },
      // The status is gone already: only breaking off tells the client that the body is not whole.
      breakOff: () => stream.close(http2.NGHTTP2_INTERNAL_ERROR),
    };
  }

  switchProtocols(): void {
    throw new Error('nobody can ask for another protocol in HTTP/2');
  }

  refuse(error: unknown): void {
    this.#options.refuse(error);
  }
}

/** Whether a request came without a body. */
function endsAtHead(stream: ServerHttp2Stream): boolean {
  return (stream as ServerHttp2Stream & { readonly endAfterHeaders: boolean }).endAfterHeaders;
}

/** The fields of a request, with its cookies in one field again; RFC 9113 §8.2.3. */
function requestFields(raw: readonly string[]): HeaderField[] {
  const fields = pairs(raw).filter(([name]) => !name.startsWith(':'));
  const cookies = fields.filter(([name]) => name === 'cookie').map(([, value]) => value);
  const others = fields.filter(([name]) => name !== 'cookie');
  return cookies.length === 0 ? others : [...others, ['Cookie', cookies.join('; ')]];
}

/** Fields of which Node sends one only, and of which the first counts. */
const single = new Set(
  (
    'access-control-allow-credentials access-control-max-age access-control-request-method age authorization ' +
    'content-encoding content-language content-length content-location content-md5 content-range content-type date dnt ' +
    'etag expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location ' +
    'max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests user-agent ' +
    'x-content-type-options'
  ).split(' '),
);
/** Those of them that are lists. */
const lists = new Set(['content-encoding', 'content-language']);
// biome-ignore lint/suspicious/noControlCharactersInRegex: HTTP/2 has none of them in values
const controls = /[\u0000-\u0008\u000a-\u001f\u007f]/g;

/** Response fields as HTTP/2 takes them: lower case, end-to-end only, no control characters; RFC 9113 §8.2. */
function outgoing(fields: readonly HeaderField[]): OutgoingHttpHeaders {
  const values = new Map<string, string[]>();
  for (const [name, value] of endToEndHeaders(fields)) {
    const lower = name.toLowerCase();
    if (lower === 'http2-settings') continue;
    const same = values.get(lower) ?? [];
    if (same.length === 0) values.set(lower, same);
    same.push(value.replace(controls, ' ').trim());
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, oneOrMore(name, all)]));
}

function oneOrMore(name: string, values: readonly string[]): string | string[] {
  const [first = ''] = values;
  if (values.length === 1) return first;
  if (lists.has(name)) return [...new Set(values)].join(', ');
  return single.has(name) ? first : [...values];
}

function pairs(raw: readonly string[]): HeaderField[] {
  const fields: HeaderField[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) fields.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return fields;
}
