import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import {
  Condition,
  CountedLog,
  encodeJsonLine,
  errorCode,
  errorMessage,
  type Logger,
  SerialQueue,
  systemClock,
  type Timer,
} from '@manypath/core';
import { diag, peerCredentials } from '@manypath/mptcp';
import { discoverPaths } from '../discovery/discover-paths.ts';
import { pathsLimits } from '../limits.ts';
import { DirectSteering } from '../steering/direct-steering.ts';
import { Journal } from '../upkeep/journal.ts';
import { journalFolder } from '../upkeep/journal-folder.ts';
import { KernelTables } from '../upkeep/kernel-tables.ts';
import { claimed, planPaths, type Setting } from '../upkeep/plan.ts';
import { SettingsKeeper } from '../upkeep/settings-keeper.ts';
import { answerLines, failure } from './answer-lines.ts';
import { HelperRefusedError, HelperSocketError } from './errors.ts';
import { makeRoomForSocket } from './helper-socket.ts';
import { UserWindow } from './user-window.ts';
import { type EndpointUse, readVerb, type Verb, type WantedPath } from './verbs.ts';

/** Where the helper listens unless told otherwise. */
export const helperSocketPath = '/run/manypath/helper.sock';

export interface HelperOptions {
  /** Path of the unix socket, or a listening descriptor that systemd handed over. */
  readonly listen: string | { readonly fd: number };
  /** Users who may ask, besides root. */
  readonly users: readonly number[];
  readonly stateDir: string;
  readonly logger: Logger;
}

/** One connected client. */
interface Client {
  readonly uid: number;
  paths: readonly WantedPath[];
}

/**
 * The one part of Manypath that needs CAP_NET_ADMIN. It sets up the paths that its clients name, planned by itself from what the
 * kernel says, and steers connections of the user who asks. Nothing else can be had from it: see {@link readVerb}.
 */
export class PrivilegedHelper {
  readonly #options: HelperOptions;
  readonly #server: Server = createServer();
  readonly #tables = KernelTables.open();
  readonly #keeper: SettingsKeeper;
  readonly #steering: DirectSteering;
  readonly #window: UserWindow;
  readonly #refusals: CountedLog;
  readonly #clients = new Map<Socket, Client>();
  readonly #sockets = new Set<Socket>();
  /** Those that are being turned away. */
  readonly #strangers = new Set<Socket>();
  readonly #unsettled: Condition;
  /** Changes of what is kept, one after the other. */
  readonly #changes: SerialQueue;
  #timer: Timer | undefined;
  #closed = false;

  /**
   * Starts it.
   *
   * @throws HelperSocketError `MANYPATH_HELPER_SOCKET`
   */
  static async start(options: HelperOptions): Promise<PrivilegedHelper> {
    const helper = new PrivilegedHelper(options);
    await helper.#listen();
    // What a killed one left is undone now, whoever comes.
    helper.#changes.post(() => helper.#keepNow());
    await helper.#changes.idle;
    return helper;
  }

  private constructor(options: HelperOptions) {
    this.#options = options;
    const journal = new Journal(journalFolder(options.stateDir), options.logger);
    this.#keeper = new SettingsKeeper(this.#tables, journal, options.logger);
    this.#steering = new DirectSteering(this.#keeper);
    this.#window = new UserWindow(() => this.#keeper.leaveToUserspace());
    this.#refusals = new CountedLog({
      logger: options.logger,
      message: 'clients of the helper were turned away',
      fields: ['uid', 'users'],
      everyMs: pathsLimits.helperRefusalsMs,
      most: pathsLimits.helperRefusedUsers,
    });
    this.#unsettled = new Condition(options.logger, 'the paths are set up in the kernel again');
    this.#changes = new SerialQueue(error => {
      const fields = { code: errorCode(error), error: errorMessage(error) };
      this.#unsettled.begins(this, fields, 'the kernel is not as the clients want it; tried again');
      this.#retry();
    });
    this.#server.on('connection', socket => this.#admit(socket));
  }

  /** Ends it, and takes out of the kernel what was put in. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.#closed = true;
    this.#timer?.cancel();
    this.#refusals.close();
    await this.#changes.idle;
    try {
      await this.#keeper.end();
    } finally {
      this.#steering.close();
      this.#tables.close();
    }
  }

  async #listen(): Promise<void> {
    const { listen } = this.#options;
    if (typeof listen === 'string') {
      await makeRoomForSocket(listen);
    }
    this.#server.listen(listen);
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      throw new HelperSocketError(typeof listen === 'string' ? listen : 'the socket of systemd', error);
    }
    // Everybody may connect; who it is says the kernel.
    if (typeof listen === 'string') chmodSync(listen, 0o666);
  }

  #admit(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    const peer = peerCredentials(socket);
    if (peer === undefined || !this.#serves(peer.uid)) {
      this.#refusals.note(peer?.uid);
      this.#turnAway(socket);
      return;
    }
    const client: Client = { uid: peer.uid, paths: [] };
    this.#clients.set(socket, client);
    socket.once('close', () => {
      this.#clients.delete(socket);
      this.#window.close(client);
      this.#changes.post(() => this.#keepNow());
    });
    answerLines(socket, message => this.#answer(client, message));
  }

  /** Tells a stranger why, once it has said something; it has no say in how long that takes. */
  #turnAway(socket: Socket): void {
    if (this.#strangers.size >= pathsLimits.helperStrangers) {
      socket.destroy();
      return;
    }
    this.#strangers.add(socket);
    const timer = systemClock.after(pathsLimits.helperStrangerMs, () => socket.destroy());
    socket.once('close', () => {
      timer.cancel();
      this.#strangers.delete(socket);
    });
    const reason = new HelperRefusedError('you are not among its users, or have too many connections');
    socket.once('data', () => socket.end(encodeJsonLine(failure(null, reason)), () => socket.destroy()));
  }

  async #answer(client: Client, message: unknown): Promise<object> {
    const id = (message as { id?: unknown } | null)?.id;
    try {
      await this.#do(client, readVerb(message));
      return { id, ok: true };
    } catch (error) {
      return failure(id, error);
    }
  }

  async #do(client: Client, asked: Verb): Promise<void> {
    switch (asked.verb) {
      case 'hello':
        // From here on sockets may be left to user space: that is noted first.
        return this.#changes.run(() => this.#keeper.begin());
      case 'keep':
        client.paths = asked.paths;
        return this.#changes.run(() => this.#keepNow());
      case 'open-window':
        return this.#window.open(client);
      case 'close-window':
        return this.#window.close(client);
      case 'create-subflow':
        requireOwner(client, asked.token);
        return this.#steering.createSubflow(asked);
      case 'destroy-subflow':
        requireOwner(client, asked.token);
        return this.#steering.destroySubflow(asked.token, asked.subflow);
      case 'remove-address':
        requireOwner(client, asked.token);
        return this.#steering.removeAddress(asked.token, asked.localId);
      case 'set-backup':
        requireOwner(client, asked.token);
        return this.#steering.setBackup(asked.token, asked.subflow, asked.backup);
    }
  }

  /** No user takes all places, however many connections he makes. */
  #serves(uid: number): boolean {
    const { users } = this.#options;
    if (uid !== 0 && !users.includes(uid)) return false;
    const same = [...this.#clients.values()].filter(client => client.uid === uid).length;
    return same < pathsLimits.helperClientsPerUser && this.#clients.size < pathsLimits.helperClients;
  }

  /** Sets up what all clients want together: the more of an endpoint, if they differ. Without clients nothing stays. */
  async #keepNow(): Promise<void> {
    const uses = new Map<string, EndpointUse>();
    for (const { name, endpoint } of [...this.#clients.values()].flatMap(({ paths }) => paths)) {
      uses.set(name, moreOf(uses.get(name), endpoint));
    }
    const tables = this.#tables.dump();
    const plan = planPaths(
      discoverPaths(tables, [...uses.keys()]),
      ({ name }) => tiers[uses.get(name) ?? 'none'],
    );
    // A path that somebody wants keeps its routes while it is unusable for a moment.
    const wanted = new Set(tables.links.flatMap(({ name, index }) => (uses.has(name) ? [index] : [])));
    await this.#keeper.apply(plan, setting => wanted.has(linkOf(setting)));
    if (this.#clients.size === 0) await this.#keeper.end();
    this.#unsettled.ends(this);
  }

  #retry(): void {
    this.#timer?.cancel();
    if (this.#closed) return;
    this.#timer = systemClock.after(pathsLimits.applyRetryMs, () =>
      this.#changes.post(() => this.#keepNow()),
    );
  }
}

/** Number of the interface that a setting is about. */
function linkOf(setting: Setting): number {
  return setting.type === 'rule' ? setting.table - claimed.firstTable : setting.index;
}

const tiers = { active: 'primary', backup: 'backup', none: 'never' } as const;

function moreOf(one: EndpointUse | undefined, other: EndpointUse): EndpointUse {
  const order: readonly EndpointUse[] = ['none', 'backup', 'active'];
  return order[Math.max(order.indexOf(one ?? 'none'), order.indexOf(other))] ?? other;
}

/** A connection is steered for whoever owns it, and for nobody else. */
function requireOwner({ uid }: Client, token: number): void {
  const [connection] = diag({ token, subflows: false });
  if (connection === undefined) throw new HelperRefusedError('there is no such connection');
  if (uid !== 0 && connection.uid !== uid) throw new HelperRefusedError('this connection is not yours');
}
