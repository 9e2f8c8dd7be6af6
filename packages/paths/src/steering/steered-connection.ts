import type { Socket } from 'node:net';
import {
  type Clock,
  errorMessage,
  type Logger,
  mappedAddress,
  systemClock,
  type Timer,
  unmappedAddress,
} from '@manypath/core';
import { info, type SocketAddress, type SubflowInfo } from '@manypath/mptcp';
import type { Path, PathAddress } from '../discovery/path.ts';
import { type Ends, isShared } from '../discovery/subflow-places.ts';
import type { SizeQuestion } from '../health/packet-sizes.ts';
import type { PathOutlook } from '../outlook.ts';
import { LifeWatch } from './life-watch.ts';
import { type CarriedRate, RateWatch } from './rate-watch.ts';
import { openingWindow, planRoles, type Roles, type SubflowRole } from './roles.ts';
import { SilenceWatch } from './silence-watch.ts';
import { StallWatch } from './stall-watch.ts';
import type { SteeringRights, SubflowEnd } from './steering-rights.ts';

/** What a {@link SteeredConnection} knows of the world. */
export interface SteeredConnectionOptions {
  readonly rights: SteeringRights;
  /** The paths now, in the order in which the host prefers them. */
  readonly outlooks: () => readonly PathOutlook[];
  /** The path that a subflow is on; `undefined` when it is on none. */
  readonly pathOf: (ends: Ends) => string | undefined;
  /** Whether a transfer may begin at any moment, so that the connection is to be looked at often. */
  readonly isInUse: () => boolean;
  /** Has something small sent, so that a path that takes it and never answers shows. */
  readonly ping?: () => void;
  /** Told how much the other side may send ahead, in bytes, whenever that changes; see {@link openingWindow}. */
  readonly onOpeningWindow?: (bytes: number | undefined) => void;
  /** Told when the connection went on without a path that had carried it, and how long nothing had arrived. */
  readonly onFailover?: (path: string, stallMs: number) => void;
  /** A path seems not to work any more. */
  readonly onDoubt: (path: string) => void;
  /** What was sent over a path, or should have come over it, was lost: it may be too large for it. */
  readonly onStall: (path: string, question: SizeQuestion) => void;
  /** Something came over a path. */
  readonly onAlive: (path: string) => void;
  /** Told about once a second how fast something came and went over a path. */
  readonly onCarried?: (path: string, rate: CarriedRate) => void;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Tells what the kernel knows of the connection. Default: `info` of @manypath/mptcp. */
  readonly read?: typeof info;
}

/** How often a connection is looked at on which something has just begun, in milliseconds: what pays, pays early. */
const beginningMs = 12;
/** How long that is so, in milliseconds. */
const beginsForMs = 400;
/** How often a connection that carries something is looked at, in milliseconds. */
const busyMs = 30;
/** The same for one that is in use and carries nothing just now. */
const waitingMs = 120;
/** After so long without anything it is looked at as if it were not in use, in milliseconds; {@link SteeredConnection.wake} ends that. */
const quietMs = 5000;
/** The same for one that is not in use. */
const idleMs = 2000;
/** A transfer is over when nothing has moved for so long, in milliseconds. */
const transferEndMs = 300;
/** How long a transfer may pause, beside two round trips, before the path is asked, in milliseconds. */
const pauseMs = 120;
/** How often it is asked at most, in milliseconds. */
const pingMs = 400;
/** A transfer of fewer bytes may pause as it likes. */
const flowingBytes = 65_536;
/** How long a subflow that could not be made is not tried again, in milliseconds. */
const retryMs = 1000;
/** The longest that it is not tried again by another address than the dialled one. */
const retryMostMs = 60_000;

/** A subflow, and which path it is on. */
interface OpenSubflow {
  readonly key: string;
  readonly path: string;
  readonly info: SubflowInfo;
}

/**
 * One MPTCP connection whose subflows are chosen here instead of by the kernel: one on each willing path, active or backup as
 * {@link planRoles} says, made again when it is gone, and taken off a path that is dead before the kernel's timers would.
 */
export class SteeredConnection {
  readonly #socket: Socket;
  /** Where the other side can be reached: the address that was dialled, then others. */
  readonly #remotes: readonly SocketAddress[];
  /** Whether subflows of the other family than the first one's may join: the kernel allows it to IPv6 sockets only. */
  readonly #takesBothFamilies: boolean;
  /** The first subflow is of IPv4 on an IPv6 socket: its port here. */
  readonly #mappedPort: number | undefined;
  readonly #options: SteeredConnectionOptions;
  readonly #clock: Clock;
  readonly #silence = new SilenceWatch();
  readonly #life = new LifeWatch();
  readonly #rates = new RateWatch();
  readonly #stalls = new StallWatch();
  /** What each subflow is, by its key. */
  readonly #roles = new Map<string, SubflowRole>();
  /** When each path may be tried again, and the pause after that. */
  readonly #tries = new Map<string, { until: number; pauseMs: number }>();
  /** Paths that went silent here, and until when they are not used again unless they are proven alive. */
  readonly #shunned = new Map<string, number>();
  /** Numbers of local addresses; the first one is that of the first subflow. */
  readonly #ids = new Map<string, number>();
  /** What subflows that are on their way will be, by their path. */
  readonly #created = new Map<string, SubflowRole>();
  #plan: Roles = { lead: undefined, of: new Map() };
  #timer: Timer | undefined;
  /** Bytes in both directions so far, and when that last grew. */
  #moved = 0;
  #movedAt = Number.NEGATIVE_INFINITY;
  /** Bytes of the transfer that is under way. */
  #transferred = 0;
  #pingedAt = Number.NEGATIVE_INFINITY;
  #beganAt = Number.NEGATIVE_INFINITY;
  #acked = 0;
  #openingWindow: number | undefined;
  #working = false;
  #again = false;

  /**
   * @param socket Made by `SteeringRights.openSocket`, and connected.
   * @param remotes Where the other side can be reached; the first is the one that the socket is connected to.
   */
  constructor(socket: Socket, remotes: readonly SocketAddress[], options: SteeredConnectionOptions) {
    const { localAddress = '', localPort } = socket;
    this.#socket = socket;
    this.#remotes = remotes;
    this.#takesBothFamilies = familyOf(localAddress) === 6;
    this.#mappedPort = unmappedAddress(localAddress) === localAddress ? undefined : localPort;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#idOf(unmappedAddress(localAddress));
    socket.once('close', () => this.#timer?.cancel());
    void this.look();
  }

  /** To be called when a transfer begins: costs next to nothing while others began just before it. */
  wake(): void {
    const now = this.#clock.now();
    // It is looked at every few milliseconds as it is.
    if (now - this.#beganAt < beginsForMs || now - this.#movedAt < 2 * transferEndMs) return;
    this.#beganAt = now;
    void this.look();
  }

  /** What was asked for does not come: it may be too large for every path that could bring it. */
  askSizes(): void {
    for (const { path, info: subflow } of this.#subflowsByPath(
      (this.#options.read ?? info)(this.#socket).subflows,
    )) {
      if (path !== '' && subflow.state === 'established') this.#options.onStall(path, sizeQuestion(subflow));
    }
  }

  /** To be called when the paths changed. */
  async look(): Promise<void> {
    if (this.#working) {
      this.#again = true;
      return;
    }
    this.#working = true;
    this.#timer?.cancel();
    try {
      do {
        this.#again = false;
        if (!this.#socket.destroyed) await this.#look();
      } while (this.#again);
    } finally {
      this.#working = false;
    }
    if (this.#socket.destroyed) return;
    this.#timer = this.#clock.after(this.#pause(), () => void this.look());
  }

  #pause(): number {
    if (this.#clock.now() - this.#beganAt < beginsForMs) return beginningMs;
    if (this.#clock.now() - this.#movedAt < 2 * transferEndMs) return busyMs;
    const isQuiet = this.#clock.now() - Math.max(this.#movedAt, this.#beganAt) > quietMs;
    return this.#options.isInUse() && !isQuiet ? waitingMs : idleMs;
  }

  async #look(): Promise<void> {
    const { token, multipath, flags, subflows, bytesReceived } = (this.#options.read ?? info)(this.#socket);
    // Until the other side's key is known there is nothing that could be joined.
    if (!multipath || token === undefined || !flags.remoteKeyReceived) return;
    const outlooks = this.#options.outlooks();
    const known = this.#subflowsByPath(subflows);
    const open = known.filter(({ info }) => info.state === 'established');
    this.#noteTransfer(subflows, open);
    this.#noteLife(open);
    this.#noteSilence(open, bytesReceived);
    const acked = subflows.reduce((sum, subflow) => sum + subflow.bytesAcked, 0);
    const failover = this.#stalls.look(bytesReceived, Math.max(acked, this.#acked), this.#clock.now());
    this.#acked = Math.max(acked, this.#acked);
    if (failover !== undefined) this.#options.onFailover?.(failover.path, failover.stallMs);
    const before = this.#plan;
    this.#plan = planRoles(this.#unshunned(outlooks), this.#transferred, before);
    this.#noteLeft(before);
    await this.#create(token, outlooks, known);
    await this.#setRoles(token, open);
    await this.#leaveDeadPaths(token, open);
    await this.#closeSurplus(token, open);
    this.#tellOpeningWindow(outlooks);
  }

  #tellOpeningWindow(outlooks: readonly PathOutlook[]): void {
    const window = openingWindow(outlooks, this.#plan, this.#transferred);
    if (window === this.#openingWindow) return;
    this.#openingWindow = window;
    this.#options.onOpeningWindow?.(window);
  }

  #subflowsByPath(subflows: readonly SubflowInfo[]): OpenSubflow[] {
    const known: OpenSubflow[] = [];
    for (const subflow of subflows) {
      if (subflow.state !== 'established' && subflow.state !== 'syn-sent') continue;
      const path = this.#options.pathOf(subflow) ?? '';
      known.push({ key: keyOf(subflow), path, info: subflow });
    }
    for (const key of this.#roles.keys()) {
      if (!known.some(subflow => subflow.key === key)) this.#roles.delete(key);
    }
    return known;
  }

  #noteTransfer(subflows: readonly SubflowInfo[], open: readonly OpenSubflow[]): void {
    const now = this.#clock.now();
    let moved = 0;
    let rttMs = 0;
    for (const subflow of subflows) {
      moved += subflow.bytesReceived + subflow.bytesAcked;
      rttMs = Math.max(rttMs, subflow.rttMs);
    }
    const more = moved - this.#moved;
    this.#moved = moved;
    const stillMs = now - this.#movedAt;
    if (more > 0) {
      this.#transferred = stillMs > transferEndMs ? more : this.#transferred + more;
      this.#movedAt = now;
    } else if (stillMs > transferEndMs + 2 * rttMs) {
      this.#transferred = 0;
    } else if (this.#transferred > flowingBytes && stillMs > pauseMs + 2 * rttMs) {
      if (now - this.#pingedAt < pingMs) return;
      this.#pingedAt = now;
      this.#options.ping?.();
      // Where all paths lose large packets at once none is silent beside another.
      for (const { path, info } of open) if (path !== '') this.#options.onStall(path, sizeQuestion(info));
    }
  }

  #noteLife(open: readonly OpenSubflow[]): void {
    const { onAlive, onDoubt, onCarried } = this.#options;
    const pathOf = new Map(open.map(({ key, path }) => [key, path]));
    const watched = new Map(open.map(subflow => [subflow.key, subflow.info]));
    const { alive, doubtful } = this.#life.look(watched, this.#clock.now());
    for (const key of alive) onAlive(pathOf.get(key) ?? '');
    for (const key of doubtful) onDoubt(pathOf.get(key) ?? '');
    for (const [key, rate] of this.#rates.look(watched, this.#clock.now())) {
      onCarried?.(pathOf.get(key) ?? '', rate);
    }
  }

  #noteSilence(open: readonly OpenSubflow[], inOrder: number): void {
    const now = this.#clock.now();
    const carrying = open.filter(({ key }) => this.#roleOf(key) === 'active');
    const watched = new Map(carrying.map(subflow => [subflow.key, subflow.info]));
    const silent = this.#silence.look(watched, inOrder, now);
    for (const key of silent) {
      const { path = '', info: subflow } = open.find(one => one.key === key) ?? {};
      if (path === '' || subflow === undefined) continue;
      if (!this.#shunned.has(path)) this.#options.logger.debug({ path }, 'a subflow has gone silent');
      this.#shunned.set(path, now + shunMs);
      this.#options.onDoubt(path);
      // Small packets may pass, and whoever asks is answered.
      this.#options.onStall(path, sizeQuestion(subflow));
    }
  }

  #noteLeft(before: Roles): void {
    for (const [path, role] of before.of) {
      if (role === 'active' && !this.#plan.of.has(path)) this.#stalls.left(path, this.#clock.now());
    }
  }

  /** A path that went silent on this connection is as good as dead for it until it is proven alive, or some time has passed. */
  #unshunned(outlooks: readonly PathOutlook[]): readonly PathOutlook[] {
    const now = this.#clock.now();
    for (const [path, until] of this.#shunned) if (until <= now) this.#shunned.delete(path);
    if (this.#shunned.size === 0 && !outlooks.some(({ takesSmallOnly }) => takesSmallOnly)) return outlooks;
    // Segments are as large as the other paths take them: on one that takes small ones only they would be lost.
    const judged = outlooks.map(outlook =>
      this.#shunned.has(outlook.path.name) || outlook.takesSmallOnly
        ? { ...outlook, health: 'dead' as const }
        : outlook,
    );
    // Where every path is silent it is more likely the other side.
    return judged.some(({ health }) => health !== 'dead') ? judged : outlooks;
  }

  #roleOf(key: string): SubflowRole {
    // The first subflow of a connection is a full one.
    return this.#roles.get(key) ?? 'active';
  }

  async #create(
    token: number,
    outlooks: readonly PathOutlook[],
    known: readonly OpenSubflow[],
  ): Promise<void> {
    const { rights } = this.#options;
    for (const [name, role] of this.#plan.of) {
      const there = known.filter(({ path }) => path === name);
      if (there.some(({ info }) => info.state === 'established')) {
        this.#tries.delete(name);
        continue;
      }
      const path = outlooks.find(outlook => outlook.path.name === name)?.path;
      const ends = path && this.#endsOver(path);
      if (path === undefined || ends === undefined || !this.#mayTry(name, ends)) continue;
      const { local, remote } = ends;
      // The kernel would try again ever more seldom.
      for (const { info: late } of there) {
        await this.#tryTo('give up a subflow', name, () =>
          rights.destroySubflow(token, this.#asKernel(late)),
        );
      }
      await this.#tryTo('create a subflow', name, async () => {
        await rights.createSubflow({
          token,
          localAddress: local.address,
          localId: this.#idOf(
            local.address,
            isShared(
              local.address,
              outlooks.map(outlook => outlook.path),
            ),
          ),
          device: path.name,
          remote,
          backup: role === 'backup',
        });
        this.#created.set(name, role);
      });
    }
  }

  /** The address of a path that reaches the other side, and the one of the other side that it reaches. */
  #endsOver({ addresses }: Path): { local: PathAddress; remote: SocketAddress } | undefined {
    const [dialled] = this.#remotes;
    for (const remote of this.#remotes) {
      const family = familyOf(remote.address);
      if (dialled === undefined) continue;
      if (remote !== dialled && (!this.#takesBothFamilies || family === familyOf(dialled.address))) continue;
      const local = addresses.find(one => one.family === family);
      if (local !== undefined) return { local, remote };
    }
    return undefined;
  }

  /** Notes a try. Where the address that was dialled is not meant the other side need not be the same machine: ever more seldom. */
  #mayTry(name: string, { remote }: { remote: SocketAddress }): boolean {
    const now = this.#clock.now();
    const last = this.#tries.get(name);
    if (last !== undefined && now < last.until) return false;
    const pauseMs =
      remote === this.#remotes[0] ? retryMs : Math.min((last?.pauseMs ?? retryMs / 2) * 2, retryMostMs);
    this.#tries.set(name, { until: now + pauseMs, pauseMs });
    return true;
  }

  /** The ends of a subflow as the kernel finds it by them. */
  #asKernel({ local, remote }: SubflowInfo): SubflowEnd {
    if (local.port !== this.#mappedPort || familyOf(local.address) === 6) return { local, remote };
    const mapped = ({ address, port }: SocketAddress) => ({ address: mappedAddress(address), port });
    return { local: mapped(local), remote: mapped(remote) };
  }

  async #setRoles(token: number, open: readonly OpenSubflow[]): Promise<void> {
    // First what is to carry, then what is not to any more.
    for (const wanted of ['active', 'backup'] as const) {
      for (const { key, path, info: subflow } of open) {
        if (!this.#roles.has(key)) this.#roles.set(key, this.#created.get(path) ?? 'active');
        this.#created.delete(path);
        if (this.#plan.of.get(path) !== wanted || this.#roleOf(key) === wanted) continue;
        await this.#tryTo(`make a subflow ${wanted}`, path, async () => {
          await this.#options.rights.setBackup(token, this.#asKernel(subflow), wanted === 'backup');
          this.#roles.set(key, wanted);
        });
      }
    }
  }

  /** Takes subflows off paths that are not to be used, as long as another one is left. */
  async #leaveDeadPaths(token: number, open: readonly OpenSubflow[]): Promise<void> {
    const staying = open.filter(({ path }) => this.#plan.of.has(path));
    if (staying.length === 0) return;
    const paths = this.#options.outlooks().map(outlook => outlook.path);
    const idOf = ({ local }: SubflowInfo) =>
      local.port === this.#socket.localPort ? 0 : this.#idOf(local.address, isShared(local.address, paths));
    const stayingIds = new Set(staying.map(({ info }) => idOf(info)));
    for (const { path, info: subflow } of open) {
      if (this.#plan.of.has(path)) continue;
      this.#tries.delete(path);
      const id = idOf(subflow);
      // The other side is told over a path that works: what it had sent here it then sends again at once.
      if (!stayingIds.has(id)) {
        await this.#tryTo('withdraw an address', path, () => this.#options.rights.removeAddress(token, id));
      }
      await this.#tryTo('close a subflow', path, () =>
        this.#options.rights.destroySubflow(token, this.#asKernel(subflow)),
      );
    }
  }

  /** Of several subflows on one path, as when one that was given up was established all the same, one stays. */
  async #closeSurplus(token: number, open: readonly OpenSubflow[]): Promise<void> {
    const seen = new Set<string>();
    for (const { path, info: subflow } of [...open].reverse()) {
      if (!this.#plan.of.has(path)) continue;
      if (seen.has(path)) {
        await this.#tryTo('close a second subflow', path, () =>
          this.#options.rights.destroySubflow(token, this.#asKernel(subflow)),
        );
      }
      seen.add(path);
    }
  }

  /**
   * The number of a local address on this connection. Where several paths have the same address, or had it, the first subflow has
   * number 0 and all others another one: the kernel takes no two for one address.
   */
  #idOf(address: string, isShared = false): number {
    const shared = `shared ${address}`;
    const key = isShared || this.#ids.has(shared) ? shared : address;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#ids.set(key, this.#ids.size);
    return this.#ids.size - 1;
  }

  async #tryTo(what: string, path: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
      this.#options.logger.debug(
        { path, port: this.#socket.localPort, transferred: this.#transferred },
        what,
      );
    } catch (error) {
      this.#options.logger.debug({ path, error: errorMessage(error) }, `could not ${what}`);
    }
  }
}

/** How long a path that went silent is left alone by a connection, in milliseconds. */
const shunMs = 1500;

function keyOf({ local, remote }: SubflowInfo): string {
  return `${local.address} ${local.port} ${remote.address} ${remote.port}`;
}

/** The kernel makes what it sends smaller where that is lost; what comes may be as large as before. */
function sizeQuestion({ remote, segmentSize, receivedSegmentSize }: SubflowInfo): SizeQuestion {
  return { address: remote.address, segmentBytes: Math.max(segmentSize, receivedSegmentSize) };
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}
