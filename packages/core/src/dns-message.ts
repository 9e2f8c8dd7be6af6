import { ManypathError } from './errors.ts';

/** What a DNS message may hold at most; RFC 1035 §2.3.4 and RFC 6891 §6.2.3. */
export const dnsMessageLimits = {
  /** Longest query read, bytes. A question with an OPT record needs far less. */
  queryBytes: 1024,
  /** Longest label of a name, bytes. */
  labelBytes: 63,
  /** Longest name on the wire, bytes, with its length bytes and the root. */
  nameBytes: 255,
  /** Longest response without EDNS, bytes. */
  plainResponseBytes: 512,
  /** Longest response written whatever the asker offers, bytes: fits one unfragmented IPv6 packet. */
  responseBytes: 1232,
} as const;

/** The record types that matter here (RFC 1035 §3.2.2, RFC 3596, RFC 6891). */
export const dnsTypes = { a: 1, aaaa: 28, opt: 41 } as const;

/** Response codes, RFC 1035 §4.1.1. */
export const dnsResponseCodes = {
  success: 0,
  malformed: 1,
  serverFailure: 2,
  noSuchName: 3,
  notImplemented: 4,
  refused: 5,
} as const;
export type DnsResponseCode = (typeof dnsResponseCodes)[keyof typeof dnsResponseCodes];

const classInternet = 1;
const headerBytes = 12;

/** One question, as a stub resolver asks it. */
export interface DnsQuery {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Lower case, without the final dot; `''` is the root. */
  readonly name: string;
  /** Record type, see {@link dnsTypes}. */
  readonly type: number;
  /** The question exactly as it came: resolvers compare it, letter case included (RFC 1035 §4.1.2). */
  readonly question: Uint8Array;
  /** Whether the query carried an OPT record, which the response has to answer (RFC 6891 §6.1.1). */
  readonly edns: boolean;
  /** Longest response the asker takes, bytes. */
  readonly maxResponseBytes: number;
}

/**
 * A message is no query that can be answered. `responseCode` is what to tell the asker, and `id` whom to
 * tell; without an `id` the message deserves no response (too short, or itself a response).
 */
export class DnsMessageError extends ManypathError {
  readonly responseCode: DnsResponseCode;
  readonly id: number | undefined;

  constructor(message: string, responseCode: DnsResponseCode, id: number | undefined) {
    super('MANYPATH_DNS_MESSAGE_INVALID', `not a DNS query that can be answered: ${message}`);
    this.responseCode = responseCode;
    this.id = id;
  }
}

/**
 * Reads one query of a stub resolver, strictly: opcode QUERY, exactly one question of class IN with a name of
 * letters, digits, `-` and `_`, no compression, no records besides one OPT, no bytes left over.
 *
 * @throws DnsMessageError `MANYPATH_DNS_MESSAGE_INVALID`
 */
export function parseDnsQuery(bytes: Uint8Array): DnsQuery {
  if (bytes.length < headerBytes) throw new DnsMessageError('shorter than a header', 1, undefined);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const id = view.getUint16(0);
  const flags = view.getUint16(2);
  if ((flags & 0x8000) !== 0) throw new DnsMessageError('it is a response', 1, undefined);
  const malformed = (message: string) => new DnsMessageError(message, dnsResponseCodes.malformed, id);
  if (bytes.length > dnsMessageLimits.queryBytes) throw malformed('too long');
  if ((flags & 0x7800) !== 0)
    throw new DnsMessageError('opcode is not QUERY', dnsResponseCodes.notImplemented, id);
  if (view.getUint16(4) !== 1) throw malformed('not exactly one question');
  if (view.getUint16(6) !== 0 || view.getUint16(8) !== 0) throw malformed('answers in a query');
  const additional = view.getUint16(10);
  if (additional > 1) throw malformed('more than one additional record');

  const { name, end } = readName(bytes, headerBytes, malformed);
  if (end + 4 > bytes.length) throw malformed('question cut short');
  const type = view.getUint16(end);
  if (view.getUint16(end + 2) !== classInternet) {
    throw new DnsMessageError('class is not IN', dnsResponseCodes.notImplemented, id);
  }
  const questionEnd = end + 4;
  const offered = additional === 1 ? readOpt(bytes, questionEnd, malformed) : undefined;
  if (offered === undefined && questionEnd !== bytes.length) throw malformed('bytes after the question');

  return {
    id,
    recursionDesired: (flags & 0x0100) !== 0,
    name,
    type,
    question: bytes.slice(headerBytes, questionEnd),
    edns: offered !== undefined,
    maxResponseBytes: responseLimit(offered),
  };
}

/** What a response says besides repeating the question. */
export interface DnsAnswer {
  readonly code: DnsResponseCode;
  /** Addresses of the asked type: 4 bytes each for A, 16 for AAAA. As many as fit are sent. */
  readonly addresses?: readonly Uint8Array[];
  /** How long the asker may keep the answer, whole seconds; default 0, not at all. */
  readonly ttlSeconds?: number;
}

/**
 * Writes the response to a query. Addresses that do not fit into what the asker takes are left out: a name
 * with some of its addresses is reachable, and there is no TCP to fall back on (so TC is never set).
 */
export function encodeDnsResponse(query: DnsQuery, answer: DnsAnswer): Uint8Array {
  const optBytes = query.edns ? 11 : 0;
  const addressBytes = query.type === dnsTypes.aaaa ? 16 : 4;
  const recordBytes = 12 + addressBytes;
  const room = query.maxResponseBytes - headerBytes - query.question.length - optBytes;
  const fitting = (answer.addresses ?? [])
    .filter(address => address.length === addressBytes)
    .slice(0, Math.max(0, Math.floor(room / recordBytes)));

  const response = new Uint8Array(
    headerBytes + query.question.length + fitting.length * recordBytes + optBytes,
  );
  const view = new DataView(response.buffer);
  writeHeader(view, query.id, query.recursionDesired, answer.code);
  view.setUint16(4, 1);
  view.setUint16(6, fitting.length);
  view.setUint16(10, query.edns ? 1 : 0);
  response.set(query.question, headerBytes);

  let at = headerBytes + query.question.length;
  for (const address of fitting) {
    view.setUint16(at, 0xc000 | headerBytes); // the name of the question, by pointer
    view.setUint16(at + 2, query.type);
    view.setUint16(at + 4, classInternet);
    view.setUint32(at + 6, answer.ttlSeconds ?? 0);
    view.setUint16(at + 10, addressBytes);
    response.set(address, at + 12);
    at += recordBytes;
  }
  if (query.edns) {
    view.setUint16(at + 1, dnsTypes.opt);
    view.setUint16(at + 3, dnsMessageLimits.responseBytes);
  }
  return response;
}

/** The response to a message that could not be read, or `undefined` when it deserves none. */
export function encodeDnsRefusal(error: DnsMessageError): Uint8Array | undefined {
  if (error.id === undefined) return undefined;
  const response = new Uint8Array(headerBytes);
  writeHeader(new DataView(response.buffer), error.id, false, error.responseCode);
  return response;
}

function writeHeader(view: DataView, id: number, recursionDesired: boolean, code: DnsResponseCode): void {
  const response = 0x8000;
  const recursionAvailable = 0x0080;
  view.setUint16(0, id);
  view.setUint16(2, response | recursionAvailable | (recursionDesired ? 0x0100 : 0) | code);
}

type Malformed = (message: string) => DnsMessageError;

function readName(bytes: Uint8Array, start: number, malformed: Malformed): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = bytes[at];
    if (length === undefined) throw malformed('name cut short');
    at += 1;
    if (length === 0) return { name: labels.join('.'), end: at };
    if (length > dnsMessageLimits.labelBytes) throw malformed('label too long, or compressed');
    if (at + length > bytes.length) throw malformed('name cut short');
    if (at + length + 1 - start > dnsMessageLimits.nameBytes) throw malformed('name too long');
    labels.push(readLabel(bytes.subarray(at, at + length), malformed));
    at += length;
  }
}

function readLabel(bytes: Uint8Array, malformed: Malformed): string {
  const label = String.fromCharCode(...bytes);
  if (!/^[A-Za-z0-9_-]+$/.test(label)) throw malformed('name with characters that no host name has');
  return label.toLowerCase();
}

/** Reads the OPT record that must end the message; gives the response size the asker takes, bytes. */
function readOpt(bytes: Uint8Array, start: number, malformed: Malformed): number {
  if (start + 11 > bytes.length) throw malformed('additional record cut short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[start] !== 0 || view.getUint16(start + 1) !== dnsTypes.opt)
    throw malformed('additional record is not OPT');
  if (start + 11 + view.getUint16(start + 9) !== bytes.length)
    throw malformed('OPT record does not end the message');
  return view.getUint16(start + 3);
}

function responseLimit(offered: number | undefined): number {
  const { plainResponseBytes, responseBytes } = dnsMessageLimits;
  if (offered === undefined) return plainResponseBytes;
  return Math.min(responseBytes, Math.max(plainResponseBytes, offered));
}
