import { NETLINK_ROUTE, RTM_GETLINK, RTM_NEWLINK } from './constants.ts';
import { NetlinkError } from './errors.ts';
import { decodeLink, encodeLinkQuery, type Link } from './links.ts';
import { type NetlinkOptions, NetlinkSocket } from './netlink-socket.ts';

/** Names and numbers of the network devices of a namespace, asked for afresh each time. */
export class Devices {
  readonly #socket: NetlinkSocket;

  constructor(options: NetlinkOptions | NetlinkSocket = {}) {
    this.#socket = options instanceof NetlinkSocket ? options : new NetlinkSocket(NETLINK_ROUTE, options);
  }

  links(): Link[] {
    const payload = encodeLinkQuery();
    return this.#socket.dump(
      { operation: 'list the network devices', type: RTM_GETLINK, payload },
      message => (message.type === RTM_NEWLINK ? decodeLink(message.payload) : undefined),
    );
  }

  /** The names by number. */
  names(): Map<number, string> {
    return new Map(this.links().map(({ index, name }) => [index, name]));
  }

  /** One device by name. @throws NetlinkError `MPTCP_NETLINK_FAILED` with ENODEV */
  link(name: string): Link {
    const operation = `find the network device ${JSON.stringify(name)}`;
    if (name === '' || name.length > 15) throw new NetlinkError(operation, 'ENODEV');
    const payload = encodeLinkQuery(name);
    const [link] = this.#socket.request({ operation, type: RTM_GETLINK, payload }, message =>
      message.type === RTM_NEWLINK ? decodeLink(message.payload) : undefined,
    );
    if (link === undefined) throw new NetlinkError(operation, 'ENODEV');
    return link;
  }

  /** The number of a device. @throws as `link` */
  readonly indexOf = (name: string): number => this.link(name).index;

  close(): void {
    this.#socket.close();
  }
}
