import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNamespace } from '@manypath/mptcp';
import { addressesOf, type LabAddresses } from './addresses.ts';
import { buildHosts } from './build.ts';
import { builtEntry, firstLine } from './child.ts';
import { claimOrExplain, explainRefusal } from './claim.ts';
import {
  type CommandOptions,
  type CommandResult,
  killGroup,
  requireTool,
  runBatch,
  runCommand,
  toolEnvironment,
} from './command.ts';
import { describeLab } from './describe.ts';
import { LabCommandError, LabOptionError, LabUnknownError } from './errors.ts';
import { routerDevice, setPacketFaults } from './faults.ts';
import {
  asLabLink,
  findLink,
  type LabLink,
  lossOf,
  packetBytesOf,
  packetFaultsOf,
  unknownLink,
} from './lab-link.ts';
import { labLimits } from './limits.ts';
import {
  addressLines,
  bringUp,
  type LinkSite,
  makeLinks,
  plugCable,
  pullCable,
  reshapeLink,
  unmakeLink,
  withdrawLines,
} from './links.ts';
import { enterNamespace, namespacePath, setSysctls } from './namespace-files.ts';
import {
  completeShape,
  type LinkOptions,
  type LinkShape,
  type Namespaces,
  namespacesOf,
  type Role,
  roles,
  wireNamespaceOf,
} from './plan.ts';
import { isAlive } from './process-identity.ts';
import { type LabOptions, newLink, newRecord, requireDistinct } from './record.ts';
import { requireOrReenter } from './reenter.ts';
import {
  type FaultKind,
  faultKinds,
  type LabRecord,
  type LinkRecord,
  load,
  recordedNames,
  save,
  scratchFolder,
} from './state.ts';
import { tearDown, tearDownNow } from './teardown.ts';

/** An origin that runs in a lab. */
export interface LabOrigin {
  readonly ports: { readonly http: number; readonly https: number; readonly echo: number };
  /** The certificate it shows, PEM. */
  readonly certificate: string;
  readonly process: ChildProcess;
}

/** Bytes that crossed a link, Ethernet heads included, counted where the router sends and receives them. */
export interface LinkCounters {
  toClient: number;
  fromClient: number;
}

export interface LabSpawnOptions extends Omit<SpawnOptions, 'detached' | 'signal'> {
  /** Leave the child in this process's group and terminal, as an interactive shell needs it. Default false. */
  foreground?: boolean;
}

/** Labs of this process that it owns, for the last moment of it. */
const owned = new Set<string>();
let exitIsWatched = false;

/**
 * Network namespaces that stand for a laptop with two links, a router behind them, a relay and two origins.
 *
 * It needs root, or a user namespace of one's own (`requireOrReenter`). A lab goes with the process that made it:
 * at a clean exit at once, after a crash with the next `Lab.create` or `Lab.sweep` of any process.
 */
export class Lab implements AsyncDisposable {
  readonly name: string;
  readonly namespaces: Namespaces;
  /** As it was last read: other processes may change the lab too. */
  #record: LabRecord;
  #children = new Set<ChildProcess>();

  private constructor(record: LabRecord) {
    this.name = record.name;
    this.namespaces = namespacesOf(record.name);
    this.#record = record;
  }

  /** Builds a lab. Throws `MANYPATH_LAB_NOT_PERMITTED`, `…_TOOL_MISSING`, `…_NAME_TAKEN`, `…_OPTION_INVALID`. */
  static async create(options: LabOptions = {}): Promise<Lab> {
    requireTool('ip');
    requireTool('tc');
    await Lab.sweep();
    const lab = new Lab(newRecord(options));
    claimOrExplain(lab.#record);
    adopt(lab.name);
    try {
      await buildHosts(lab.namespaces, options.congestion);
      for (const role of roles) setSysctls(lab.namespaces[role], options.sysctls?.[role] ?? {});
      await makeLinks(lab.#site, lab.#record.links);
      if (lab.#record.persistent) {
        // Only now: a lab that was never completed is swept as any other.
        lab.#record.owner = null;
        owned.delete(lab.name);
      }
      save(lab.#record);
      return lab;
    } catch (error) {
      await lab.destroy();
      throw explainRefusal(error);
    }
  }

  /** A lab that this or another process made. It does not go when this process goes. */
  static attach(name: string): Lab {
    const record = load(name);
    if (record === undefined) throw new LabUnknownError('lab', name, recordedNames());
    return new Lab(record);
  }

  /** The names of the labs on this machine. */
  static list(): string[] {
    return recordedNames();
  }

  /** Removes every lab whose owner died. Returns their names. */
  static async sweep(): Promise<string[]> {
    const orphans = recordedNames().filter(name => {
      const owner = load(name)?.owner;
      return owner !== undefined && owner !== null && !isAlive(owner);
    });
    await Promise.all(orphans.map(tearDown));
    return orphans;
  }

  /** See `requireOrReenter`: what a program that makes labs calls first. */
  static requireOrReenter = requireOrReenter;

  /** Where everything is now. */
  get addresses(): LabAddresses {
    return addressesOf(this.#read());
  }

  /** The client's links as they are now. */
  get links(): LabLink[] {
    return this.#read().links.map(asLabLink);
  }

  /** One link. Throws `MANYPATH_LAB_UNKNOWN`. */
  link(name: string): LabLink {
    return asLabLink(findLink(this.#read(), name));
  }

  /**
   * Runs a command in a namespace to its end. Any exit code but 0 throws `MANYPATH_LAB_COMMAND_FAILED`, unless
   * `allowFailure`; after `timeoutMs` (60 s) it is killed: `MANYPATH_LAB_TIMEOUT`.
   */
  async exec(
    namespace: Role | string,
    argv: readonly string[],
    options?: CommandOptions,
  ): Promise<CommandResult> {
    return await runCommand([...enterNamespace(this.#resolve(namespace)), ...argv], options);
  }

  /** Starts a command in a namespace. It leads its own process group, which is killed when the lab is destroyed. */
  spawn(namespace: Role | string, argv: readonly string[], options: LabSpawnOptions = {}): ChildProcess {
    const { foreground, env, ...rest } = options;
    const [tool = '', ...enter] = enterNamespace(this.#resolve(namespace));
    const child = spawn(tool, [...enter, ...argv], {
      ...rest,
      env: toolEnvironment(env),
      detached: foreground !== true,
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    child.once('error', () => this.#children.delete(child));
    return child;
  }

  /**
   * Starts an origin (`startOrigin`) as a process in a namespace, and waits until it serves.
   * The one in `originMptcp` takes Multipath TCP, any other plain TCP only.
   */
  async startOrigin(
    role: Role = 'origin',
    options: { ports?: { http?: number; https?: number; echo?: number } } = {},
  ): Promise<LabOrigin> {
    const { http = 80, https = 443, echo = 7 } = options.ports ?? {};
    const ports = ['--http', String(http), '--https', String(https), '--echo', String(echo)];
    const kind = role === 'originMptcp' ? ['--mptcp'] : [];
    const argv = [process.execPath, builtEntry('origin-main'), '--json', ...ports, ...kind];
    const child = this.spawn(role, argv, { env: { NODE_OPTIONS: '' }, stdio: ['pipe', 'pipe', 'inherit'] });
    const line = await firstLine(child).catch((error: Error) => {
      const { exitCode: code, signalCode: signal } = child;
      throw new LabCommandError({ argv, code, signal, stdout: '', stderr: error.message });
    });
    const ready = JSON.parse(line) as LabOrigin['ports'] & { certificate: string };
    return {
      ports: { http: ready.http, https: ready.https, echo: ready.echo },
      certificate: ready.certificate,
      process: child,
    };
  }

  /**
   * Calls `fn` with this thread in a namespace. Sockets that it makes stay there. Only synchronous work counts:
   * see `inNamespace` of @manypath/mptcp.
   */
  run<T>(namespace: Role | string, fn: () => T): T {
    return inNamespace(namespacePath(this.#resolve(namespace)), fn);
  }

  /** Changes some of a link's shape and keeps the rest. */
  async shape(name: string, shape: Partial<LinkShape>): Promise<void> {
    const link = this.#change(name, changed => {
      changed.shape = completeShape(shape, changed.shape);
    });
    await this.#reshape(link);
  }

  /**
   * Breaks a link. Faults add up until `heal`.
   *
   * - `blackhole` every packet vanishes in both directions; carrier, addresses and neighbours stay
   * - `carrier`   the cable is pulled: the client's interface stays up but has no carrier
   * - `admin`     the client's interface is set down
   * - `address`   the client's addresses are removed, and with them their routes
   * - `strip`     the MPTCP option is taken out of every packet (nftables)
   * - `mtu`       packets of more than `packetBytes` (default 1000) vanish in both directions, without a word (nftables)
   * - `loss`      `lossPercent` of the packets vanish, on top of what the shape says (default 5)
   */
  async cut(
    name: string,
    kind: FaultKind,
    options: { lossPercent?: number; packetBytes?: number } = {},
  ): Promise<void> {
    if (!faultKinds.includes(kind)) throw new LabOptionError(`There is no fault "${kind}"`);
    const link = this.#change(name, changed => {
      if (!changed.faults.includes(kind)) changed.faults.push(kind);
      if (kind === 'loss') changed.faultLossPercent = lossOf(options.lossPercent);
      if (kind === 'mtu') changed.faultPacketBytes = packetBytesOf(options.packetBytes);
    });
    const client = { namespace: this.namespaces.client };
    switch (kind) {
      case 'blackhole':
      case 'strip':
        return await setPacketFaults(this.namespaces.router, link, packetFaultsOf(link));
      case 'mtu':
        await this.#aggregate(link, false);
        return await setPacketFaults(this.namespaces.router, link, packetFaultsOf(link));
      case 'carrier':
        return await pullCable(this.#site, link);
      case 'admin':
        return await runBatch('ip', [`link set dev ${link.device} down`], client);
      case 'address':
        // Forced: somebody may have removed one of them already.
        return await runBatch('ip', withdrawLines(link), { ...client, force: true });
      case 'loss':
        return await this.#reshape(link);
    }
  }

  /** Makes a link whole again: carrier, interface, addresses, default routes, packets and shape. */
  async heal(name: string): Promise<void> {
    const had = new Set(this.link(name).faults);
    const link = this.#change(name, changed => {
      changed.faults = [];
      changed.faultLossPercent = 0;
    });
    if (had.has('blackhole') || had.has('strip') || had.has('mtu')) {
      await setPacketFaults(this.namespaces.router, link, packetFaultsOf(link));
    }
    if (had.has('mtu')) await this.#aggregate(link, true);
    if (had.has('loss')) await this.#reshape(link);
    if (had.has('carrier')) await plugCable(this.#site, link);
    await bringUp(this.#site, [link]);
  }

  /** Plugs another link into the client. Unlike those of `create`, it has no limit of rate unless it names one. */
  async addLink(options: LinkOptions): Promise<LabLink> {
    const record = this.#readOrThrow();
    const link = newLink(options, record.linksMade + 1, null);
    for (const other of record.links) requireDistinct(other, link);
    record.linksMade += 1;
    record.links.push(link);
    save(record);
    await makeLinks(this.#site, [link]);
    return asLabLink(this.#keepWire(link));
  }

  /** Unplugs a link for good: its interfaces vanish. */
  async removeLink(name: string): Promise<void> {
    const record = this.#readOrThrow();
    const link = findLink(record, name);
    record.links = record.links.filter(other => other !== link);
    save(record);
    await unmakeLink(this.#site, link);
    if (packetFaultsOf(link).size > 0) await setPacketFaults(this.namespaces.router, link, new Set());
  }

  /** Gives the client new addresses on a link, as a new DHCP lease does: the old ones go, the new ones come. */
  async renumber(name: string): Promise<LabLink> {
    const client = { namespace: this.namespaces.client };
    await runBatch('ip', withdrawLines(findLink(this.#read(), name)), { ...client, force: true });
    const link = this.#change(name, changed => {
      changed.host = changed.host >= 250 ? 2 : changed.host + 1;
    });
    await runBatch('ip', addressLines(link), client);
    return asLabLink(link);
  }

  /** What has crossed a link since it was made. Takes microseconds, may be asked often. */
  counters(name: string): LinkCounters {
    const device = routerDevice({ name });
    const table = this.run('router', () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
    const line = table.split('\n').find(text => text.trimStart().startsWith(`${device}:`));
    if (line === undefined) throw unknownLink(this.#read(), name);
    // proc_net_dev: eight columns of what came in, eight of what went out, bytes first.
    const columns = line
      .slice(line.indexOf(':') + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    return { fromClient: columns[0] ?? 0, toClient: columns[8] ?? 0 };
  }

  /** Lines for people: what this lab is and what it rests on. */
  describe(): string[] {
    const congestion = this.run('client', () =>
      readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim(),
    );
    return describeLab(this.#read(), congestion);
  }

  /** Ends every process in the lab and removes it. Safe to call again. */
  async destroy(): Promise<void> {
    for (const child of this.#children) killGroup(child, 'SIGTERM');
    const deadline = Date.now() + labLimits.killGraceMs;
    while (this.#children.size > 0 && Date.now() < deadline) await sleep(5);
    for (const child of this.#children) killGroup(child, 'SIGKILL');
    await tearDown(this.name);
    owned.delete(this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  get #site(): LinkSite {
    return {
      namespaces: this.namespaces,
      wireNamespace: wireNamespaceOf(this.name),
      folder: scratchFolder(this.name),
      owner: this.#record.persistent ? null : this.#record.owner,
    };
  }

  /** Whether hosts hand packets on as the kernel aggregates them, or as they are on a real wire. */
  async #aggregate(link: LinkRecord, on: boolean): Promise<void> {
    const end = (device: string) => [`link set dev ${device} gso_max_segs ${on ? 65_535 : 1}`];
    await runBatch('ip', end(link.device), { namespace: this.namespaces.client });
    for (const role of ['relay', 'origin', 'originMptcp'] as const) {
      await runBatch('ip', end('eth0'), { namespace: this.namespaces[role] });
    }
  }

  async #reshape(link: LinkRecord): Promise<void> {
    await reshapeLink(this.#site, link);
    this.#keepWire(link);
  }

  /** Records the process that became a link's wire while it was worked on. */
  #keepWire(link: LinkRecord): LinkRecord {
    return this.#change(link.name, changed => {
      changed.wire = link.wire;
    });
  }

  /** The record as it is now; after the lab is gone, as it was last. */
  #read(): LabRecord {
    this.#record = load(this.name) ?? this.#record;
    return this.#record;
  }

  #readOrThrow(): LabRecord {
    const record = load(this.name);
    if (record === undefined) throw new LabUnknownError('lab', this.name, recordedNames());
    this.#record = record;
    return record;
  }

  /** Reads, changes and writes the record in one turn, so that calls side by side do not undo each other. */
  #change(name: string, change: (link: LinkRecord) => void): LinkRecord {
    const record = this.#readOrThrow();
    const link = findLink(record, name);
    change(link);
    save(record);
    return link;
  }

  #resolve(namespace: string): string {
    const known: Record<string, string | undefined> = this.namespaces;
    const full = known[namespace] ?? (namespace === 'origin-mptcp' ? this.namespaces.originMptcp : undefined);
    if (full !== undefined) return full;
    if (Object.values(this.namespaces).includes(namespace)) return namespace;
    throw new LabUnknownError('namespace', namespace, roles);
  }
}

function adopt(name: string): void {
  owned.add(name);
  if (exitIsWatched) return;
  exitIsWatched = true;
  process.on('exit', () => {
    for (const lab of owned) tearDownNow(lab);
  });
}
