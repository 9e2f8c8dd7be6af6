import { NetlinkMalformedError } from './errors.ts';
import { ipText } from './ip-bytes.ts';
import { aligned } from './message.ts';

/** `struct nlattr`: length, type, then the value, filled up to a multiple of four. */
const HEADER_BYTES = 4;
const NESTED = 0x8000;
/** The two highest bits of a type are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER). */
const TYPE_MASK = 0x3fff;
const LONGEST_VALUE = 0xffff - HEADER_BYTES;

/** Writes attributes one after the other. Every method returns the writer; `undefined` values write nothing. */
export class AttributeWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  /** Begins with a fixed struct, such as `struct rtmsg`. */
  constructor(head?: Uint8Array) {
    if (head !== undefined) this.#push(head);
  }

  bytes(type: number, value: Uint8Array | undefined): this {
    return value === undefined ? this : this.#attribute(type, value);
  }

  u8(type: number, value: number | undefined): this {
    return value === undefined ? this : this.#attribute(type, Uint8Array.of(value));
  }

  u16(type: number, value: number | undefined): this {
    return value === undefined ? this : this.#number(type, 2, view => view.setUint16(0, value, true));
  }

  /** A port number: in the byte order of the network. */
  u16be(type: number, value: number | undefined): this {
    return value === undefined ? this : this.#number(type, 2, view => view.setUint16(0, value));
  }

  u32(type: number, value: number | undefined): this {
    return value === undefined ? this : this.#number(type, 4, view => view.setUint32(0, value, true));
  }

  /** Text with the NUL at its end that the kernel wants. */
  text(type: number, value: string | undefined): this {
    return value === undefined ? this : this.#attribute(type, new TextEncoder().encode(`${value}\0`));
  }

  /** Attributes inside an attribute. */
  nested(type: number, inner: AttributeWriter | undefined): this {
    return inner === undefined ? this : this.#attribute(type | NESTED, inner.finish());
  }

  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.byteLength;
    }
    return bytes;
  }

  #number(type: number, size: number, write: (view: DataView) => void): this {
    const value = new Uint8Array(size);
    write(new DataView(value.buffer));
    return this.#attribute(type, value);
  }

  #attribute(type: number, value: Uint8Array): this {
    if (value.byteLength > LONGEST_VALUE) {
      throw new NetlinkMalformedError(`${value.byteLength} bytes do not fit into a netlink attribute`);
    }
    const bytes = new Uint8Array(aligned(HEADER_BYTES + value.byteLength));
    const view = new DataView(bytes.buffer);
    view.setUint16(0, HEADER_BYTES + value.byteLength, true);
    view.setUint16(2, type, true);
    bytes.set(value, HEADER_BYTES);
    this.#push(bytes);
    return this;
  }

  #push(part: Uint8Array): void {
    const padded = new Uint8Array(aligned(part.byteLength));
    padded.set(part);
    this.#parts.push(padded);
    this.#length += padded.byteLength;
  }
}

/**
 * The attributes of a message, by type. What is not there is `undefined`: kernels differ in what they send. What
 * is there must have the size of its kind.
 *
 * @throws NetlinkMalformedError `MPTCP_NETLINK_MALFORMED`, from the constructor and from every getter
 */
export class Attributes {
  readonly #values = new Map<number, Uint8Array>();

  constructor(bytes: Uint8Array) {
    for (const [type, value] of eachAttribute(bytes)) this.#values.set(type, value);
  }

  has(type: number): boolean {
    return this.#values.has(type);
  }

  bytes(type: number): Uint8Array | undefined {
    return this.#values.get(type);
  }

  u8(type: number): number | undefined {
    return this.#sized(type, 1)?.getUint8(0);
  }

  u16(type: number): number | undefined {
    return this.#sized(type, 2)?.getUint16(0, true);
  }

  /** A port number: in the byte order of the network. */
  u16be(type: number): number | undefined {
    return this.#sized(type, 2)?.getUint16(0);
  }

  u32(type: number): number | undefined {
    return this.#sized(type, 4)?.getUint32(0, true);
  }

  s32(type: number): number | undefined {
    return this.#sized(type, 4)?.getInt32(0, true);
  }

  /** Text up to its NUL. */
  text(type: number): string | undefined {
    const value = this.#values.get(type);
    if (value === undefined) return undefined;
    const end = value.indexOf(0);
    return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
  }

  /** An IPv4 or IPv6 address, told apart by its length. */
  address(type: number): string | undefined {
    const value = this.#values.get(type);
    return value === undefined ? undefined : ipText(value);
  }

  nested(type: number): Attributes | undefined {
    const value = this.#values.get(type);
    return value === undefined ? undefined : new Attributes(value);
  }

  /** The elements of an array of nests, in order. */
  list(type: number): Attributes[] {
    const value = this.#values.get(type);
    if (value === undefined) return [];
    return eachAttribute(value).map(([, element]) => new Attributes(element));
  }

  /** Every attribute whose value has four bytes, as numbers by type. */
  numbers(): Map<number, number> {
    const numbers = new Map<number, number>();
    for (const [type, value] of this.#values) {
      if (value.byteLength === 4) numbers.set(type, viewOf(value).getUint32(0, true));
    }
    return numbers;
  }

  #sized(type: number, size: number): DataView | undefined {
    const value = this.#values.get(type);
    if (value === undefined) return undefined;
    if (value.byteLength !== size) {
      throw new NetlinkMalformedError(
        `Netlink attribute ${type} has ${value.byteLength} bytes instead of ${size}`,
      );
    }
    return viewOf(value);
  }
}

/** Type and value of every attribute, in order. */
export function eachAttribute(bytes: Uint8Array): [type: number, value: Uint8Array][] {
  const view = viewOf(bytes);
  const found: [number, Uint8Array][] = [];
  let offset = 0;
  while (offset < bytes.byteLength) {
    const left = bytes.byteLength - offset;
    if (left < HEADER_BYTES) {
      throw new NetlinkMalformedError(`${left} bytes are too few for a netlink attribute header`);
    }
    const length = view.getUint16(offset, true);
    if (length < HEADER_BYTES || length > left) {
      throw new NetlinkMalformedError(`A netlink attribute claims ${length} bytes where ${left} are left`);
    }
    found.push([
      view.getUint16(offset + 2, true) & TYPE_MASK,
      bytes.subarray(offset + HEADER_BYTES, offset + length),
    ]);
    offset += aligned(length);
  }
  return found;
}

/** The fixed struct at the beginning of a payload, and the attributes after it. */
export function splitHead(
  payload: Uint8Array,
  headBytes: number,
): { head: DataView; attributes: Attributes } {
  if (payload.byteLength < headBytes) {
    throw new NetlinkMalformedError(
      `${payload.byteLength} bytes of payload where ${headBytes} are the least`,
    );
  }
  return {
    head: viewOf(payload.subarray(0, headBytes)),
    attributes: new Attributes(payload.subarray(Math.min(aligned(headBytes), payload.byteLength))),
  };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
