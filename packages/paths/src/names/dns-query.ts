import { type DnsResponseCode, dnsMessageLimits, dnsTypes, formatIpAddress } from '@manypath/core';
import { DnsAnswerError } from './errors.ts';

const headerBytes = 12;
const classInternet = 1;
const typeCname = 5;
const typeSoa = 6;
/** Names in a chain of aliases that are followed; real ones have a handful. */
const mostAliases = 16;

/** A question about one name, as it goes over the wire (RFC 1035 §4.1). */
export interface DnsQuestion {
  /** Drawn at random by the caller: who answers has to repeat it. */
  readonly id: number;
  readonly name: string;
  /** See `dnsTypes`. */
  readonly type: number;
  /** Tell that answers of up to 1232 bytes are taken (RFC 6891). Very old servers refuse such a question. */
  readonly edns: boolean;
}

/** What a server answered. */
export interface DnsReply {
  readonly code: DnsResponseCode | number;
  /** There was more than fits: ask again over TCP. */
  readonly truncated: boolean;
  readonly addresses: readonly string[];
  /** Seconds for which the answer holds; for a negative one, how long that may be kept (RFC 2308 §5). */
  readonly ttlSeconds: number | undefined;
}

/**
 * Writes a question.
 *
 * @throws DnsAnswerError `MANYPATH_NAME_LOOKUP_FAILED`, not a name that can be asked for
 */
export function encodeDnsQuestion({ id, name, type, edns }: DnsQuestion): Uint8Array {
  const labels = name.replace(/\.$/, '').split('.');
  const encoded = labels.map(label => new TextEncoder().encode(label));
  const nameBytes = encoded.reduce((sum, label) => sum + label.length + 1, 1);
  const isAskable =
    encoded.every(label => label.length > 0 && label.length <= dnsMessageLimits.labelBytes) &&
    nameBytes <= dnsMessageLimits.nameBytes;
  if (!isAskable) throw new DnsAnswerError(name, 'it is not a name of the DNS');
  const bytes = new Uint8Array(headerBytes + nameBytes + 4 + (edns ? 11 : 0));
  const view = new DataView(bytes.buffer);
  const recursionDesired = 0x0100;
  view.setUint16(0, id);
  view.setUint16(2, recursionDesired);
  view.setUint16(4, 1);
  view.setUint16(10, edns ? 1 : 0);
  let at = headerBytes;
  for (const label of encoded) {
    bytes[at] = label.length;
    bytes.set(label, at + 1);
    at += label.length + 1;
  }
  view.setUint16(at + 1, type);
  view.setUint16(at + 3, classInternet);
  if (edns) {
    view.setUint16(at + 6, dnsTypes.opt);
    view.setUint16(at + 8, dnsMessageLimits.responseBytes);
  }
  return bytes;
}

/**
 * Reads what may be the answer to a question. Aliases (CNAME) are followed as far as the message holds them.
 *
 * @returns `undefined` when it is not an answer to this very question: wait for another datagram.
 * @throws DnsAnswerError `MANYPATH_NAME_LOOKUP_FAILED`, it is one and cannot be read
 */
export function decodeDnsReply(bytes: Uint8Array, question: DnsQuestion): DnsReply | undefined {
  if (bytes.length < headerBytes) return undefined;
  const reader = new Reader(bytes, question.name);
  const view = reader.view;
  const flags = view.getUint16(2);
  const isResponse = (flags & 0x8000) !== 0 && (flags & 0x7800) === 0;
  if (!isResponse || view.getUint16(0) !== question.id) return undefined;
  const code = flags & 0x000f;
  const truncated = (flags & 0x0200) !== 0;
  const questions = view.getUint16(4);
  // A server that cannot read the question may leave it out (RFC 6891 §7).
  if (questions === 0 && code !== 0) return { code, truncated, addresses: [], ttlSeconds: undefined };
  if (questions !== 1 || !reader.skipQuestion(question)) return undefined;
  const answers = reader.records(view.getUint16(6));
  const { addresses, ttlSeconds } = addressesOf(answers, question);
  if (addresses.length > 0) return { code, truncated, addresses, ttlSeconds };
  if (truncated) return { code, truncated, addresses, ttlSeconds: undefined };
  const authority = reader.records(view.getUint16(8));
  return { code, truncated, addresses, ttlSeconds: negativeTtl(authority) };
}

interface DnsRecord {
  readonly owner: string;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Uint8Array;
  /** What an alias stands for. */
  readonly target: string | undefined;
  /** MINIMUM of a SOA record. */
  readonly minimum: number | undefined;
}

function addressesOf(
  records: readonly DnsRecord[],
  { name, type }: DnsQuestion,
): { addresses: string[]; ttlSeconds: number | undefined } {
  const length = type === dnsTypes.aaaa ? 16 : 4;
  let owner = plainName(name);
  let ttl = Number.POSITIVE_INFINITY;
  for (let aliases = 0; aliases <= mostAliases; aliases++) {
    const found = records.filter(
      one => one.owner === owner && one.type === type && one.data.length === length,
    );
    if (found.length > 0) {
      const ttlSeconds = Math.min(ttl, ...found.map(one => one.ttlSeconds));
      return { addresses: found.map(({ data }) => formatIpAddress(data)), ttlSeconds };
    }
    const alias = records.find(one => one.owner === owner && one.type === typeCname);
    if (alias?.target === undefined) break;
    ttl = Math.min(ttl, alias.ttlSeconds);
    owner = alias.target;
  }
  return { addresses: [], ttlSeconds: undefined };
}

function negativeTtl(authority: readonly DnsRecord[]): number | undefined {
  const soa = authority.find(({ type }) => type === typeSoa);
  return soa?.minimum === undefined ? undefined : Math.min(soa.ttlSeconds, soa.minimum);
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

class Reader {
  readonly view: DataView;
  readonly #bytes: Uint8Array;
  readonly #name: string;
  #at = headerBytes;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#name = name;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether the message repeats the question. */
  skipQuestion({ name, type }: DnsQuestion): boolean {
    const asked = this.#readName();
    this.#need(4);
    const isSame =
      asked === plainName(name) &&
      this.view.getUint16(this.#at) === type &&
      this.view.getUint16(this.#at + 2) === classInternet;
    this.#at += 4;
    return isSame;
  }

  /** Reads records; a message that is cut short by its length limit ends early. */
  records(count: number): DnsRecord[] {
    const records: DnsRecord[] = [];
    for (let left = count; left > 0; left--) {
      const owner = this.#readName();
      this.#need(10);
      const type = this.view.getUint16(this.#at);
      const classOf = this.view.getUint16(this.#at + 2);
      const ttl = this.view.getUint32(this.#at + 4);
      const length = this.view.getUint16(this.#at + 8);
      this.#at += 10;
      this.#need(length);
      const data = this.#bytes.subarray(this.#at, this.#at + length);
      const end = this.#at + length;
      const target = type === typeCname ? this.#readName() : undefined;
      this.#at = end;
      if (classOf !== classInternet) continue;
      const minimum = type === typeSoa && length >= 20 ? this.view.getUint32(end - 4) : undefined;
      // The highest bit set means zero (RFC 2181 §8).
      records.push({ owner, type, ttlSeconds: ttl > 0x7fffffff ? 0 : ttl, data, target, minimum });
    }
    return records;
  }

  #readName(): string {
    const labels: string[] = [];
    let at = this.#at;
    let end: number | undefined;
    let total = 0;
    for (;;) {
      const length = this.#bytes[at];
      if (length === undefined) throw this.#malformed();
      if (length >= 0xc0) {
        const low = this.#bytes[at + 1];
        if (low === undefined) throw this.#malformed();
        end ??= at + 2;
        const next = ((length & 0x3f) << 8) | low;
        // Only backwards, so that it ends.
        if (next >= at) throw this.#malformed();
        at = next;
        continue;
      }
      if (length > dnsMessageLimits.labelBytes) throw this.#malformed();
      if (length === 0) break;
      total += length + 1;
      if (at + 1 + length > this.#bytes.length || total > dnsMessageLimits.nameBytes) throw this.#malformed();
      labels.push(String.fromCharCode(...this.#bytes.subarray(at + 1, at + 1 + length)).toLowerCase());
      at += length + 1;
    }
    this.#at = end ?? at + 1;
    return labels.join('.');
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw this.#malformed();
  }

  #malformed(): DnsAnswerError {
    return new DnsAnswerError(this.#name, 'the answer cannot be read');
  }
}
