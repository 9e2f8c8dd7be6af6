import { errorCode } from '@manypath/core';
import {
  type Endpoint,
  type EndpointFlag,
  type Link,
  PathManager,
  type PathManagerLimits,
  type Route,
  type RouteEvent,
  RouteSocket,
  type Rule,
  routeProtocols,
  WirelessReader,
} from '@manypath/mptcp';
import type { NetworkTables } from '../discovery/discover-paths.ts';
import {
  type EndpointSetting,
  type RouteSetting,
  type RuleSetting,
  type Setting,
  settingKey,
} from './plan.ts';
import { readSysctl, writeSysctl } from './sysctl.ts';

/** The kernel's tables of this network namespace, as the paths room reads and writes them. */
export class KernelTables {
  readonly #routes: RouteSocket;
  readonly #manager: PathManager | undefined;
  readonly #wireless: WirelessReader | undefined;

  private constructor(
    routes: RouteSocket,
    manager: PathManager | undefined,
    wireless: WirelessReader | undefined,
  ) {
    this.#routes = routes;
    this.#manager = manager;
    this.#wireless = wireless;
  }

  /** @throws NetlinkUnsupportedError `MPTCP_NETLINK_UNSUPPORTED` on other systems than Linux */
  static open(): KernelTables {
    return new KernelTables(RouteSocket.open(), openPathManager(), WirelessReader.open());
  }

  close(): void {
    this.#routes.close();
    this.#manager?.close();
    this.#wireless?.close();
  }

  links(): Link[] {
    return this.#routes.links();
  }

  dump(): NetworkTables {
    return {
      links: this.links(),
      addresses: this.#routes.addresses(),
      routes: this.#routes.routes(),
      ...(this.#wireless === undefined ? {} : { wirelessNames: this.#wireless.names() }),
    };
  }

  endpoints(): Endpoint[] {
    return this.#manager?.endpoints() ?? [];
  }

  /** Whether this process may change the tables: only trying tells, with a change that changes nothing. */
  mayChange(): boolean {
    if (this.#manager === undefined) return false;
    try {
      this.#manager.setLimits(this.#manager.limits());
      return true;
    } catch (error) {
      if (errorCode(error) === 'MPTCP_NETLINK_PERMISSION') return false;
      throw error;
    }
  }

  limits(): PathManagerLimits {
    return this.#manager?.limits() ?? { subflows: 0, acceptedAddresses: 0 };
  }

  setLimits(limits: PathManagerLimits): void {
    this.#manager?.setLimits(limits);
  }

  /** The value of a sysctl by its path below /proc/sys, or `undefined` when there is none. */
  readSysctl(name: string): string | undefined {
    return readSysctl(name);
  }

  /** Sets a sysctl. @returns Whether the kernel took it; an interface may be gone by now. */
  writeSysctl(name: string, value: string): boolean {
    return writeSysctl(name, value);
  }

  /** The keys of all settings of our kind that the kernel holds, whoever made them. */
  presentSettings(): Set<string> {
    const settings: Setting[] = [
      ...this.#routes.routes().flatMap(routeSetting),
      ...this.#routes.rules().flatMap(ruleSetting),
      ...this.endpoints().flatMap(endpointSetting),
    ];
    return new Set(settings.map(settingKey));
  }

  add(setting: Setting): void {
    switch (setting.type) {
      case 'route':
        this.#routes.addRoute(routeChange(setting));
        break;
      case 'rule':
        this.#routes.addRule(ruleChange(setting));
        break;
      case 'endpoint':
        this.#addEndpoint(setting);
    }
  }

  remove(setting: Setting): void {
    switch (setting.type) {
      case 'route':
        this.#routes.removeRoute(routeChange(setting));
        break;
      case 'rule':
        this.#routes.removeRule(ruleChange(setting));
        break;
      case 'endpoint':
        this.#removeEndpoint(setting);
    }
  }

  /** Whether the address and the link that a setting is about are there and working. */
  canCarry(setting: Setting): boolean {
    const works = new Set(
      this.#routes
        .links()
        .filter(isWorking)
        .map(({ index }) => index),
    );
    const address = addressOf(setting);
    const onWorkingLink = this.#routes.addresses().some(entry => {
      return works.has(entry.index) && (address === undefined || entry.address === address);
    });
    const name = setting.type === 'rule' ? setting.outInterface : null;
    return onWorkingLink && (name === null || this.#routes.link(name) !== undefined);
  }

  /** Tells every change of links, addresses and routes from now on. */
  changes(signal: AbortSignal): AsyncIterable<RouteEvent> {
    return this.#routes.events(signal, ['link', 'address', 'route']);
  }

  /** One that is there changes its flags and keeps its subflows. */
  #addEndpoint({ address, device, backup = false }: EndpointSetting): void {
    const flags: EndpointFlag[] = backup ? ['subflow', 'backup'] : ['subflow'];
    const there = this.#endpointAt(address);
    if (there === undefined) this.#manager?.addEndpoint({ address, device, flags });
    else this.#manager?.setEndpointFlags({ id: there.id, address }, flags);
  }

  #endpointAt(address: string): Endpoint | undefined {
    return this.endpoints().find(endpoint => endpoint.address === address && endpoint.port === undefined);
  }

  #removeEndpoint({ address }: EndpointSetting): void {
    const found = this.#endpointAt(address);
    if (found !== undefined) this.#manager?.removeEndpoint({ id: found.id, address });
  }
}

function openPathManager(): PathManager | undefined {
  try {
    return PathManager.open();
  } catch (error) {
    if (errorCode(error) === 'MPTCP_NETLINK_UNSUPPORTED') return undefined;
    throw error;
  }
}

function isWorking({ up, carrier }: { up: boolean; carrier: boolean | undefined }): boolean {
  return up && carrier !== false;
}

function addressOf(setting: Setting): string | undefined {
  switch (setting.type) {
    case 'route':
      return setting.source;
    case 'rule':
      return setting.from ?? undefined;
    case 'endpoint':
      return setting.address;
  }
}

function routeChange({ family, table, destination, gateway, device, source }: RouteSetting) {
  return {
    family,
    table,
    destination: destination === null ? 'default' : `${destination.address}/${destination.prefixLength}`,
    device,
    // IPv6 refuses a source address that has just gone, also where a route is removed.
    ...(family === 4 ? { source } : {}),
    ...(gateway === null ? {} : { gateway, onLink: true }),
    protocol: routeProtocols.manypath,
  };
}

function ruleChange({ family, priority, table, from, outInterface }: RuleSetting) {
  return {
    family,
    priority,
    table,
    ...(from === null ? {} : { from }),
    ...(outInterface === null ? {} : { oif: outInterface }),
    protocol: routeProtocols.manypath,
  };
}

function routeSetting({ family, table, destination, gateway, device, index, source }: Route): RouteSetting[] {
  if (index === undefined || device === undefined) return [];
  const [address = '', prefix = '0'] = destination.split('/');
  const prefixLength = Number(prefix);
  return [
    {
      type: 'route',
      family,
      table,
      destination: prefixLength === 0 ? null : { address, prefixLength },
      gateway: gateway ?? null,
      device,
      index,
      source: source ?? '',
    },
  ];
}

function ruleSetting({ family, priority, table, from, oif }: Rule): RuleSetting[] {
  const whole = family === 4 ? '/32' : '/128';
  return [
    {
      type: 'rule',
      family,
      priority,
      table,
      from: from?.replace(whole, '') ?? null,
      outInterface: oif ?? null,
    },
  ];
}

function endpointSetting({ address, family, index, device, flags }: Endpoint): EndpointSetting[] {
  const backup = flags.includes('backup');
  return [{ type: 'endpoint', address, family, index: index ?? 0, device: device ?? '', backup }];
}
