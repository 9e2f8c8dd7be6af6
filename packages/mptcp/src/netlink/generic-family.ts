import { type Attributes, AttributeWriter, splitHead } from './attributes.ts';
import { NETLINK_GENERIC } from './constants.ts';
import { isRefusal, NetlinkUnsupportedError } from './errors.ts';
import type { NetlinkMessage } from './message.ts';
import { type NetlinkOptions, NetlinkSocket } from './netlink-socket.ts';

/** A family of generic netlink as the kernel's controller describes it. */
export interface GenericFamily {
  /** The message type of its messages. */
  id: number;
  version: number;
  /** Multicast groups by name. */
  groups: ReadonlyMap<string, number>;
}

/** `struct genlmsghdr`: command, version, two spare bytes. */
export const GENERIC_HEAD_BYTES = 4;

const GENL_ID_CTRL = 16;
const CTRL_CMD_GETFAMILY = 3;
const ATTR_FAMILY_ID = 1;
const ATTR_FAMILY_NAME = 2;
const ATTR_VERSION = 3;
const ATTR_GROUPS = 7;
const GROUP_NAME = 1;
const GROUP_ID = 2;

export function genericHead(command: number, version: number): Uint8Array {
  return Uint8Array.of(command, version, 0, 0);
}

export function decodeFamily(payload: Uint8Array): GenericFamily | undefined {
  const { attributes } = splitHead(payload, GENERIC_HEAD_BYTES);
  const id = attributes.u16(ATTR_FAMILY_ID);
  if (id === undefined) return undefined;
  const groups = new Map<string, number>();
  for (const group of attributes.list(ATTR_GROUPS)) {
    const name = group.text(GROUP_NAME);
    const number = group.u32(GROUP_ID);
    if (name !== undefined && number !== undefined) groups.set(name, number);
  }
  return { id, version: attributes.u32(ATTR_VERSION) ?? 0, groups };
}

/** One family of generic netlink, with a socket to talk to it. */
export class GenericNetlink {
  readonly family: GenericFamily;
  readonly #name: string;
  readonly #socket: NetlinkSocket;

  /** @throws NetlinkUnsupportedError `MPTCP_NETLINK_UNSUPPORTED` when the kernel has no family of that name */
  constructor(name: string, options: NetlinkOptions = {}) {
    this.#name = name;
    this.#socket = new NetlinkSocket(NETLINK_GENERIC, options);
    try {
      this.family = this.#resolve();
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Runs a command; the attributes of every answer go through `decode`. */
  request<T>(
    operation: string,
    command: number,
    attributes: AttributeWriter,
    decode: (answer: Attributes) => T | undefined,
  ): T[] {
    return this.#socket.request(this.#message(operation, command, attributes), answer(decode));
  }

  dump<T>(
    operation: string,
    command: number,
    attributes: AttributeWriter,
    decode: (answer: Attributes) => T | undefined,
  ): T[] {
    return this.#socket.dump(this.#message(operation, command, attributes), answer(decode));
  }

  close(): void {
    this.#socket.close();
  }

  #message(operation: string, command: number, attributes: AttributeWriter) {
    const { id, version } = this.family;
    const body = attributes.finish();
    const payload = new Uint8Array(GENERIC_HEAD_BYTES + body.byteLength);
    payload.set(genericHead(command, version));
    payload.set(body, GENERIC_HEAD_BYTES);
    return { operation, type: id, payload };
  }

  #resolve(): GenericFamily {
    const operation = `find the kernel's "${this.#name}" interface`;
    const payload = new AttributeWriter(genericHead(CTRL_CMD_GETFAMILY, 1))
      .text(ATTR_FAMILY_NAME, this.#name)
      .finish();
    try {
      const [family] = this.#socket.request({ operation, type: GENL_ID_CTRL, payload }, message =>
        decodeFamily(message.payload),
      );
      if (family !== undefined) return family;
    } catch (error) {
      if (!isRefusal(error, 'ENOENT')) throw error;
    }
    throw new NetlinkUnsupportedError(operation, 'this kernel does not have it', {
      hint: 'Multipath TCP needs Linux 5.6 or later, built with CONFIG_MPTCP.',
    });
  }
}

function answer<T>(
  decode: (answer: Attributes) => T | undefined,
): (message: NetlinkMessage) => T | undefined {
  return message => decode(splitHead(message.payload, GENERIC_HEAD_BYTES).attributes);
}
