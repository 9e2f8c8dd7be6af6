import type { SocketAddress } from '../kernel/sockaddr.ts';
import { type Attributes, AttributeWriter } from './attributes.ts';
import { NETLINK_GENERIC } from './constants.ts';
import { Devices } from './devices.ts';
import {
  decodeEndpoint,
  type Endpoint,
  type EndpointFlag,
  encodePathAddress,
  type PathAddress,
} from './endpoints.ts';
import { NetlinkUnsupportedError } from './errors.ts';
import { subscribe } from './event-socket.ts';
import { GenericNetlink } from './generic-family.ts';
import { ipBytes, ipText } from './ip-bytes.ts';
import type { NetlinkOptions } from './netlink-socket.ts';
import { decodePathManagerEvent, type PathManagerEvent } from './path-manager-events.ts';

/** An endpoint to add. */
export interface EndpointSpec {
  address: string;
  /** 1 to 255. Default: the kernel chooses. */
  id?: number;
  /** Port to announce; only with `signal`. The kernel then listens there. */
  port?: number;
  flags: Iterable<EndpointFlag>;
  /** Device that its subflows are bound to, by name. Give it: else the routing table alone decides where they leave. */
  device?: string;
}

/** Which endpoint is meant: its id, or its address (needed for id 0, the address of the first subflows). */
export type EndpointRef = number | { id?: number; address?: string; port?: number };

/** How far the kernel's path manager goes, for each connection. Linux allows 0 to 8. */
export interface PathManagerLimits {
  /** Subflows beside the first one; on a server it is the number it accepts. Kernel default 2. */
  subflows: number;
  /** Addresses of the other side that are used. Kernel default 0. */
  acceptedAddresses: number;
}

/** A subflow to create under a userspace path manager. */
export interface SubflowSpec {
  /**
   * Where it leaves: address, optionally a port, an address id and a device by name. The id is the kernel's choice by
   * default; an address keeps its id for the life of the connection, and another one is then EINVAL.
   */
  local: { address: string; port?: number; id?: number; device?: string };
  remote: SocketAddress;
  /** Begin as backup. Default false. */
  backup?: boolean;
}

/** A subflow that exists, as `diag` and events tell of it. */
export interface SubflowRef {
  local: SocketAddress;
  remote: SocketAddress;
}

const COMMANDS = {
  addEndpoint: 1,
  removeEndpoint: 2,
  listEndpoints: 3,
  setLimits: 5,
  getLimits: 6,
  setFlags: 7,
  announce: 8,
  remove: 9,
  subflowCreate: 10,
  subflowDestroy: 11,
} as const;

const ADDR = 1;
const RCV_ADD_ADDRS = 2;
const SUBFLOWS = 3;
const TOKEN = 4;
const LOC_ID = 5;
const ADDR_REMOTE = 6;

/**
 * The kernel's Multipath TCP path manager of one network namespace (generic netlink `mptcp_pm`,
 * Documentation/netlink/specs/mptcp_pm.yaml). Reading needs no privilege; changing and `events` need CAP_NET_ADMIN.
 *
 * Endpoints and limits steer the path manager in the kernel. The methods that take a token steer single connections
 * under a userspace path manager: those made while `net.mptcp.path_manager` was `userspace` (`pm_type` 1 before
 * Linux 6.15); for others the kernel answers EINVAL "userspace PM not selected".
 *
 * All methods throw `NetlinkError` `MPTCP_NETLINK_FAILED`, `NetlinkPermissionError` `MPTCP_NETLINK_PERMISSION`,
 * `NetlinkUnsupportedError` `MPTCP_NETLINK_UNSUPPORTED`, `NetlinkArgumentError` `MPTCP_NETLINK_ARGUMENT` and
 * `NetlinkClosedError` `MPTCP_NETLINK_CLOSED`. There is no way to remove all endpoints here: others own some.
 */
export class PathManager {
  readonly #options: NetlinkOptions;
  readonly #netlink: GenericNetlink;
  readonly #devices: Devices;

  /**
   * Opens it for this thread's network namespace, or for `options.namespace`. Close it when done.
   *
   * @throws NetlinkUnsupportedError `MPTCP_NETLINK_UNSUPPORTED` on a kernel without Multipath TCP, or another system
   */
  static open(options: NetlinkOptions = {}): PathManager {
    return new PathManager(options);
  }

  private constructor(options: NetlinkOptions) {
    this.#options = options;
    this.#netlink = new GenericNetlink('mptcp_pm', options);
    try {
      this.#devices = new Devices(options);
    } catch (error) {
      this.#netlink.close();
      throw error;
    }
  }

  endpoints(): Endpoint[] {
    const names = this.#devices.names();
    return this.#netlink.dump('list the endpoints', COMMANDS.listEndpoints, new AttributeWriter(), answer => {
      const nest = answer.nested(ADDR);
      return nest === undefined ? undefined : decodeEndpoint(nest, index => names.get(index));
    });
  }

  /**
   * Adds an endpoint, and returns it with the id it got. The kernel then opens subflows from it for connections there
   * are. `MPTCP_NETLINK_FAILED` with EEXIST for a known address, EBUSY for an id that is taken, EADDRINUSE for a port that
   * is, ERANGE for a ninth endpoint, ENODEV for no such device.
   */
  addEndpoint({ address, id, port, flags, device }: EndpointSpec): Endpoint {
    const wanted = [...flags];
    const index = device === undefined ? undefined : this.#devices.indexOf(device);
    this.#command(
      `add the endpoint ${address}`,
      COMMANDS.addEndpoint,
      nest(ADDR, { address, id, port, flags: wanted, index }),
    );
    // Its text as the kernel gives it back: the caller's may have been a longer one.
    const canonical = ipText(ipBytes(address));
    const added = this.endpoints().find(
      endpoint =>
        endpoint.address === canonical &&
        endpoint.port === (port || undefined) &&
        (!id || endpoint.id === id),
    );
    return (
      added ?? {
        id: id ?? 0,
        family: canonical.includes(':') ? 6 : 4,
        address: canonical,
        port: port || undefined,
        flags: wanted,
        index,
        device,
      }
    );
  }

  /** Removes an endpoint: its subflows are closed, the other side is told. EINVAL when there is none such. */
  removeEndpoint(endpoint: EndpointRef): void {
    const operation = `remove the endpoint ${refText(endpoint)}`;
    this.#command(operation, COMMANDS.removeEndpoint, nest(ADDR, refAddress(endpoint)));
  }

  /**
   * Makes `flags` those of an endpoint and of its subflows. The kernel changes `backup` and `fullmesh` only; the other
   * flags stay as they were, whatever is given.
   */
  setEndpointFlags(endpoint: EndpointRef, flags: Iterable<EndpointFlag>): void {
    const operation = `set the flags of the endpoint ${refText(endpoint)}`;
    this.#command(operation, COMMANDS.setFlags, nest(ADDR, { ...refAddress(endpoint), flags }));
  }

  limits(): PathManagerLimits {
    const [limits] = this.#netlink.request(
      'read the path manager limits',
      COMMANDS.getLimits,
      new AttributeWriter(),
      (answer: Attributes): PathManagerLimits => ({
        subflows: answer.u32(SUBFLOWS) ?? 0,
        acceptedAddresses: answer.u32(RCV_ADD_ADDRS) ?? 0,
      }),
    );
    return limits ?? { subflows: 0, acceptedAddresses: 0 };
  }

  /** Changes what is given; for connections made from now on. EINVAL above 8. */
  setLimits({ subflows, acceptedAddresses }: Partial<PathManagerLimits>): void {
    const attributes = new AttributeWriter().u32(RCV_ADD_ADDRS, acceptedAddresses).u32(SUBFLOWS, subflows);
    this.#command('set the path manager limits', COMMANDS.setLimits, attributes);
  }

  /** Tells the other side of an address it may open subflows to (ADD_ADDR). Needs a `local.id`. */
  announce(token: number, local: { address: string; id: number; port?: number; device?: string }): void {
    const index = local.device === undefined ? undefined : this.#devices.indexOf(local.device);
    const { address, id, port } = local;
    this.#command(
      `announce ${address} on connection ${tokenText(token)}`,
      COMMANDS.announce,
      nest(ADDR, { address, id, port, index, flags: ['signal'] }).u32(TOKEN, token),
    );
  }

  /** Withdraws an address that was announced or used (RM_ADDR): the other side closes its subflows. */
  remove(token: number, localId: number): void {
    this.#command(
      `withdraw address ${localId} on connection ${tokenText(token)}`,
      COMMANDS.remove,
      new AttributeWriter().u32(TOKEN, token).u8(LOC_ID, localId),
    );
  }

  /**
   * Begins a subflow; `subflow-established` or `subflow-closed` tells how it went. ESRCH or EINVAL when there is no
   * such connection; EADDRNOTAVAIL or ENETUNREACH when it cannot leave from there.
   */
  subflowCreate(token: number, { local, remote, backup = false }: SubflowSpec): void {
    const index = local.device === undefined ? undefined : this.#devices.indexOf(local.device);
    const { address, id, port } = local;
    this.#command(
      `create a subflow from ${address} to ${remote.address} on connection ${tokenText(token)}`,
      COMMANDS.subflowCreate,
      nest(ADDR, { address, id, port, index, flags: backup ? ['subflow', 'backup'] : ['subflow'] })
        .u32(TOKEN, token)
        .nested(ADDR_REMOTE, encodePathAddress({ address: remote.address, port: remote.port })),
    );
  }

  /** Closes a subflow. ESRCH when there is none such. */
  subflowDestroy(token: number, { local, remote }: SubflowRef): void {
    this.#command(
      `close the subflow from ${local.address} to ${remote.address} on connection ${tokenText(token)}`,
      COMMANDS.subflowDestroy,
      nest(ADDR, { address: local.address, port: local.port })
        .u32(TOKEN, token)
        .nested(ADDR_REMOTE, encodePathAddress({ address: remote.address, port: remote.port })),
    );
  }

  /**
   * Makes a subflow backup, or a full one again, on both sides (MP_PRIO). Without ports all subflows between the two
   * addresses are meant.
   */
  setSubflowFlags(
    token: number,
    { local, remote, backup }: { local: PartialAddress; remote: PartialAddress; backup: boolean },
  ): void {
    this.#command(
      `change the subflow from ${local.address} to ${remote.address} on connection ${tokenText(token)}`,
      COMMANDS.setFlags,
      nest(ADDR, { address: local.address, port: local.port, flags: backup ? ['backup'] : [] })
        .u32(TOKEN, token)
        .nested(ADDR_REMOTE, encodePathAddress({ address: remote.address, port: remote.port })),
    );
  }

  /**
   * Tells what happens to connections from now on, until `signal` is aborted or the loop is left. Needs CAP_NET_ADMIN.
   * Independent of this object: closing one leaves the other open.
   */
  events(signal?: AbortSignal): AsyncIterableIterator<PathManagerEvent, undefined> {
    const operation = 'listen for Multipath TCP events';
    const group = this.#netlink.family.groups.get('mptcp_pm_events');
    if (group === undefined) {
      throw new NetlinkUnsupportedError(operation, 'this kernel has no such events', {
        hint: 'They need Linux 5.12 or later.',
      });
    }
    return subscribe<PathManagerEvent>({
      ...this.#options,
      operation,
      protocol: NETLINK_GENERIC,
      groups: [group],
      decode: message =>
        message.type === this.#netlink.family.id ? decodePathManagerEvent(message.payload) : undefined,
      overrun: { type: 'overrun' },
      signal,
    });
  }

  close(): void {
    this.#netlink.close();
    this.#devices.close();
  }

  #command(operation: string, command: number, attributes: AttributeWriter): void {
    this.#netlink.request(operation, command, attributes, () => undefined);
  }
}

/** An address whose port may be left open. */
export interface PartialAddress {
  address: string;
  port?: number;
}

function nest(type: number, address: PathAddress): AttributeWriter {
  return new AttributeWriter().nested(type, encodePathAddress(address));
}

function refAddress(endpoint: EndpointRef): PathAddress {
  return typeof endpoint === 'number' ? { id: endpoint } : endpoint;
}

function refText(endpoint: EndpointRef): string {
  if (typeof endpoint === 'number') return `number ${endpoint}`;
  return endpoint.address ?? `number ${endpoint.id}`;
}

/** As `ip mptcp monitor` and `ss` show it. */
function tokenText(token: number): string {
  return token.toString(16).padStart(8, '0');
}
