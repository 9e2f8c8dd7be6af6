import {
  type AddressChange,
  type DeviceAddress,
  decodeAddress,
  encodeAddress,
  encodeAddressQuery,
} from './addresses.ts';
import {
  NETLINK_ROUTE,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTM_DELADDR,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_GETADDR,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTM_NEWRULE,
} from './constants.ts';
import { Devices } from './devices.ts';
import { isRefusal, NetlinkUnsupportedError } from './errors.ts';
import { subscribe } from './event-socket.ts';
import type { IpFamily } from './ip-bytes.ts';
import { encodeLinkChange, type Link } from './links.ts';
import { type NetlinkOptions, NetlinkSocket } from './netlink-socket.ts';
import { type RouteEvent, type RouteEventType, routeEventDecoder, routeEventGroups } from './route-events.ts';
import {
  decodeRouteAnswer,
  encodeRouteQuestion,
  type RouteAnswer,
  type RouteQuestion,
} from './route-lookup.ts';
import { decodeRoute, encodeRoute, encodeRouteQuery, type Route, type RouteChange } from './routes.ts';
import { decodeRule, encodeRule, encodeRuleQuery, type Rule, type RuleChange } from './rules.ts';

/**
 * Links, addresses, routes and rules of a network namespace (rtnetlink, rtnetlink(7)). Reading needs no privilege,
 * changing needs CAP_NET_ADMIN. Every call returns at once; only `events` waits.
 *
 * All methods throw `NetlinkError` `MPTCP_NETLINK_FAILED` (its `errnoName` is the kernel's answer),
 * `NetlinkPermissionError` `MPTCP_NETLINK_PERMISSION`, `NetlinkUnsupportedError` `MPTCP_NETLINK_UNSUPPORTED`,
 * `NetlinkArgumentError` `MPTCP_NETLINK_ARGUMENT` and `NetlinkClosedError` `MPTCP_NETLINK_CLOSED`.
 */
export class RouteSocket {
  readonly #options: NetlinkOptions;
  readonly #socket: NetlinkSocket;
  readonly #devices: Devices;

  /** Opens a socket in this thread's network namespace, or in `options.namespace`. Close it when done. */
  static open(options: NetlinkOptions = {}): RouteSocket {
    return new RouteSocket(options);
  }

  private constructor(options: NetlinkOptions) {
    this.#options = options;
    this.#socket = new NetlinkSocket(NETLINK_ROUTE, options);
    this.#devices = new Devices(this.#socket);
  }

  /** All network devices. */
  links(): Link[] {
    return this.#devices.links();
  }

  /** One device by name, or `undefined`. */
  link(name: string): Link | undefined {
    return unless(['ENODEV'], () => this.#devices.link(name));
  }

  /** All IPv4 and IPv6 addresses. */
  addresses(): DeviceAddress[] {
    const names = this.#devices.names();
    const request = { operation: 'list the addresses', type: RTM_GETADDR, payload: encodeAddressQuery() };
    return this.#socket.dump(request, ({ type, payload }) =>
      type === RTM_NEWADDR ? decodeAddress(payload, index => names.get(index)) : undefined,
    );
  }

  /** The routes of all tables, or of one; of both families, or of one. A table that does not exist is empty. */
  routes({ table, family }: { table?: number; family?: IpFamily } = {}): Route[] {
    const names = this.#devices.names();
    return families(family).flatMap(each => {
      const request = {
        operation: `list the IPv${each} routes`,
        type: RTM_GETROUTE,
        payload: encodeRouteQuery(each, table),
      };
      const rows = unless(['ENOENT'], () =>
        this.#socket.dump(request, ({ type, payload }) =>
          type === RTM_NEWROUTE ? decodeRoute(payload, index => names.get(index)) : undefined,
        ),
      );
      // Kernels before 4.20 do not filter by table, and one without IPv6 answers with IPv4.
      return (rows ?? []).filter(
        route => route.family === each && (table === undefined || route.table === table),
      );
    });
  }

  /** The routing rules of both families, or of one, in the order in which they are tried. */
  rules({ family }: { family?: IpFamily } = {}): Rule[] {
    return families(family).flatMap(each => {
      const request = {
        operation: `list the IPv${each} rules`,
        type: RTM_GETRULE,
        payload: encodeRuleQuery(each),
      };
      // A kernel without IPv6 or without policy routing has none.
      const rows = unless(['ENOENT'], () =>
        this.#socket.dump(request, ({ type, payload }) =>
          type === RTM_NEWRULE ? decodeRule(payload) : undefined,
        ),
      );
      return rows ?? [];
    });
  }

  /**
   * Adds a route. `MPTCP_NETLINK_FAILED` with EEXIST when there is one like it, unless `replace` is set; ENETUNREACH
   * when the gateway is not on a link.
   */
  addRoute(route: RouteChange, { replace = false }: { replace?: boolean } = {}): void {
    this.#socket.command({
      operation: `add the route to ${route.destination}${wayOf(route)}`,
      type: RTM_NEWROUTE,
      flags: NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
      payload: encodeRoute(route, false, this.#devices.indexOf),
    });
  }

  /** Removes the first route that has all of what is given. ESRCH when there is none. */
  removeRoute(route: RouteChange): void {
    this.#socket.command({
      operation: `remove the route to ${route.destination}${wayOf(route)}`,
      type: RTM_DELROUTE,
      payload: encodeRoute(route, true, this.#devices.indexOf),
    });
  }

  /** Adds a rule. EEXIST when there is the same one already. */
  addRule(rule: RuleChange): void {
    this.#socket.command({
      operation: `add the rule ${ruleText(rule)}`,
      type: RTM_NEWRULE,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      payload: encodeRule(rule),
    });
  }

  /** Removes the first rule that has all of what is given. ENOENT when there is none. */
  removeRule(rule: RuleChange): void {
    this.#socket.command({
      operation: `remove the rule ${ruleText(rule)}`,
      type: RTM_DELRULE,
      payload: encodeRule(rule),
    });
  }

  /** Gives a device an address. EEXIST when it has it. */
  addAddress(device: string, address: AddressChange): void {
    this.#socket.command({
      operation: `add the address ${address.address} to ${device}`,
      type: RTM_NEWADDR,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      payload: encodeAddress(this.#devices.indexOf(device), address),
    });
  }

  /** Takes an address away from a device. EADDRNOTAVAIL when it does not have it. */
  removeAddress(device: string, address: AddressChange): void {
    this.#socket.command({
      operation: `remove the address ${address.address} from ${device}`,
      type: RTM_DELADDR,
      payload: encodeAddress(this.#devices.indexOf(device), address),
    });
  }

  /** Switches a device on or off, or sets its MTU in bytes. */
  setLink(device: string, change: { up?: boolean; mtu?: number }): void {
    this.#socket.command({
      operation: `change the network device ${device}`,
      type: RTM_NEWLINK,
      payload: encodeLinkChange(this.#devices.indexOf(device), change),
    });
  }

  /**
   * How the kernel would send a packet to `address`; `undefined` when it would not: no route, a blackhole, or a
   * `from` that is not this host's.
   */
  routeTo(address: string, question: RouteQuestion = {}): RouteAnswer | undefined {
    const request = {
      operation: `find the route to ${address}`,
      type: RTM_GETROUTE,
      payload: encodeRouteQuestion(address, question, this.#devices.indexOf),
    };
    const names = this.#devices.names();
    try {
      const [answer] = this.#socket.request(request, ({ type, payload }) =>
        type === RTM_NEWROUTE ? decodeRouteAnswer(payload, index => names.get(index)) : undefined,
      );
      return answer;
    } catch (error) {
      if (isNoWay(error)) return undefined;
      throw error;
    }
  }

  /**
   * Tells every change from now on, until `signal` is aborted or the loop is left. It is independent of this
   * socket: closing one leaves the other open.
   *
   * @param types only changes of these kinds; default all
   */
  events(
    signal?: AbortSignal,
    types: readonly RouteEventType[] = ['link', 'address', 'route', 'rule'],
  ): AsyncIterableIterator<RouteEvent, undefined> {
    // Links are always listened to: the other events name devices by number.
    const groups = [...new Set<RouteEventType>(['link', ...types])].flatMap(type => routeEventGroups[type]);
    const names = new Map<number, string>();
    const decode = routeEventDecoder(names);
    const events = subscribe<RouteEvent>({
      ...this.#options,
      operation: 'listen for network changes',
      protocol: NETLINK_ROUTE,
      groups,
      decode: message => {
        const event = decode(message);
        return event === undefined || (event.type !== 'overrun' && !types.includes(event.type))
          ? undefined
          : event;
      },
      overrun: { type: 'overrun' },
      signal,
    });
    try {
      // After the subscription, before its first event is decoded: there is no gap, and nothing older overwrites.
      for (const [index, name] of this.#devices.names()) names.set(index, name);
    } catch (error) {
      void events.return?.();
      throw error;
    }
    return events;
  }

  close(): void {
    this.#socket.close();
  }
}

/** Blackholes and foreign sources are EINVAL without a word; a bad question is EINVAL with an explanation. */
function isNoWay(error: unknown): boolean {
  if (isRefusal(error, 'EINVAL')) return error.kernelMessage === undefined;
  return isRefusal(error, 'ENETUNREACH', 'EHOSTUNREACH', 'EACCES');
}

function families(family: IpFamily | undefined): IpFamily[] {
  return family === undefined ? [4, 6] : [family];
}

/** The result of `ask`, or `undefined` when the kernel answers with one of `names`, or has no such thing. */
function unless<T>(names: string[], ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if (isRefusal(error, ...names) || error instanceof NetlinkUnsupportedError) return undefined;
    throw error;
  }
}

function wayOf({ gateway, device, table }: RouteChange): string {
  const parts = [gateway && `via ${gateway}`, device && `dev ${device}`, table && `table ${table}`];
  return parts
    .filter(Boolean)
    .map(part => ` ${part}`)
    .join('');
}

function ruleText({ from, to, oif, fwmark, table, priority }: RuleChange): string {
  const parts = [
    priority !== undefined && `${priority}:`,
    from !== undefined && `from ${from}`,
    to !== undefined && `to ${to}`,
    oif !== undefined && `oif ${oif}`,
    fwmark !== undefined && `fwmark ${fwmark}`,
    table !== undefined && `table ${table}`,
  ];
  return parts.filter(part => part !== false).join(' ');
}
