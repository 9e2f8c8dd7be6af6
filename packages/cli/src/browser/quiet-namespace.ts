import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket as DatagramSocket } from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import { createServer, isIPv6, type Server } from 'node:net';
import { childEnvironment, childProgram } from './child-program.ts';
import { QuietNamespaceError } from './errors.ts';
import type { HolderMessage, HolderOrder } from './holder-messages.ts';
import { browserLimits } from './limits.ts';

/** What {@link openQuietNamespace} needs to know. */
export interface QuietNamespaceOptions {
  /** Port for the proxy on `quietAddress`; the gateway's own, so that people see one number only. */
  readonly proxyPort: number;
  /** The same for the proxy that goes straight. */
  readonly straightPort: number;
  /** Name servers of the host. */
  readonly nameServers: readonly string[];
  /** Gives up the set-up. */
  readonly signal?: AbortSignal;
  /** Default `browserLimits.namespaceSetupMs`. */
  readonly setupMs?: number;
}

/**
 * A network namespace that is never disturbed, and the listeners in it, which belong to this process.
 *
 * It lives as long as a process is in it or this object holds it.
 */
export interface QuietNamespace {
  /** Connections to the proxy. */
  readonly proxy: Server;
  /** Connections to the proxy that goes straight. */
  readonly straight: Server;
  /** Connections to loopback and local networks; who accepts one asks for its original destination. */
  readonly redirected: readonly Server[];
  /** Name server queries. */
  readonly names: readonly DatagramSocket[];
  /** TCP ports on loopback there that are taken by us. */
  readonly takenPorts: ReadonlySet<number>;
  /** Why loopback and local networks cannot be reached from inside, or `undefined` when they can. */
  readonly localFailure: string | undefined;
  /** The command that runs what follows it in the namespace, without any capability there. */
  readonly enter: readonly string[];
  /** Closes the listeners and lets go of the namespace. */
  close(): void;
}

/**
 * Makes a quiet namespace.
 *
 * As root a network namespace is enough. Everyone else gets a user namespace around it, in which the same
 * user keeps the same id: that takes no privilege where the system allows user namespaces at all.
 *
 * @throws QuietNamespaceError `MANYPATH_QUIET_NAMESPACE_FAILED` with the reason
 */
export async function openQuietNamespace(options: QuietNamespaceOptions): Promise<QuietNamespace> {
  if (process.platform !== 'linux') throw new QuietNamespaceError('network namespaces exist on Linux only');
  if (process.getuid?.() !== 0) return open(rootless, options);
  try {
    return await open(asRoot, options);
  } catch (error) {
    // Root of a container may lack the privilege for this, and still be allowed a user namespace.
    if (options.signal?.aborted) throw error;
    return open(rootless, options).catch(() => Promise.reject(error));
  }
}

interface Manner {
  readonly unshare: readonly string[];
  readonly userNamespace: boolean;
}

const asRoot: Manner = { unshare: ['--net'], userNamespace: false };
const rootless: Manner = {
  unshare: ['--user', '--map-current-user', '--net', '--keep-caps'],
  userNamespace: true,
};

async function open(manner: Manner, options: QuietNamespaceOptions): Promise<QuietNamespace> {
  const holder = spawn(
    'unshare',
    [...manner.unshare, '--', process.execPath, childProgram('namespace-holder.js')],
    {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: childEnvironment(),
    },
  );
  const descriptors: number[] = [];
  const handles = new ReceivedHandles();
  try {
    const order: HolderOrder = {
      proxyPort: options.proxyPort,
      straightPort: options.straightPort,
      nameServers6: options.nameServers.filter(isIPv6).filter(address => !address.includes('%')),
    };
    const localFailure = await furnished(holder, order, handles, options);
    descriptors.push(openSync(`/proc/${holder.pid}/ns/net`, 'r'));
    if (manner.userNamespace) descriptors.push(openSync(`/proc/${holder.pid}/ns/user`, 'r'));
    return {
      proxy: handles.of('proxy'),
      straight: handles.of('straight'),
      redirected: handles.redirected,
      names: handles.names,
      takenPorts: new Set(handles.redirected.map(portOf)),
      localFailure,
      enter: enterCommand(descriptors),
      close() {
        handles.close();
        for (const descriptor of descriptors.splice(0)) closeSync(descriptor);
      },
    };
  } catch (error) {
    handles.close();
    for (const descriptor of descriptors) closeSync(descriptor);
    throw error;
  } finally {
    letGo(holder);
  }
}

/** Entering a user namespace as its owner gives every capability in it; the next exec drops them again. */
function enterCommand([net, user]: readonly number[]): string[] {
  const ours = (descriptor: number) => `/proc/${process.pid}/fd/${descriptor}`;
  const enterUser = user === undefined ? [] : [`--user=${ours(user)}`, '--preserve-credentials'];
  return ['nsenter', ...enterUser, ...(net === undefined ? [] : [`--net=${ours(net)}`]), '--'];
}

/** Waits until the holder has passed on everything. */
async function furnished(
  holder: ChildProcess,
  order: HolderOrder,
  handles: ReceivedHandles,
  { signal, setupMs = browserLimits.namespaceSetupMs }: QuietNamespaceOptions,
): Promise<string | undefined> {
  const given = AbortSignal.any([AbortSignal.timeout(setupMs), ...(signal === undefined ? [] : [signal])]);
  const { promise, resolve, reject } = withResolvers<string | undefined>();
  const fail = (message: string, cause?: unknown) => reject(new QuietNamespaceError(message, { cause }));
  const onAbort = () =>
    fail(signal?.aborted ? 'given up' : `making it took longer than ${setupMs} ms`, given.reason);
  given.addEventListener('abort', onAbort, { once: true });
  if (given.aborted) onAbort();

  let complaint = '';
  holder.stderr?.setEncoding('utf8').on('data', text => {
    complaint = (complaint + text).slice(0, 4096);
  });
  holder.once('error', error => fail('unshare could not be run', error));
  holder.once('close', () => fail(complaint.trim().split('\n', 1)[0] || 'its first process ended'));
  holder.on('message', (message: HolderMessage, handle: unknown) => {
    if (message.kind === 'failed') fail(message.reason);
    else if (message.kind === 'ready') resolve(message.localFailure);
    else handles.take(message, handle);
  });
  // A holder that is gone already says so by its `close`.
  holder.send(order, () => {});
  try {
    return await promise;
  } finally {
    given.removeEventListener('abort', onAbort);
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** The holder ends when the channel is closed; one that hangs in a step is not waited for. */
function letGo(holder: ChildProcess): void {
  if (holder.connected) holder.disconnect();
  holder.kill('SIGKILL');
}

/** Listeners as they come in over IPC. */
class ReceivedHandles {
  readonly redirected: Server[] = [];
  readonly names: DatagramSocket[] = [];
  readonly #proxies = new Map<'proxy' | 'straight', Server>();
  #closed = false;

  take(message: Extract<HolderMessage, { kind: 'listening' | 'bound' }>, handle: unknown): void {
    if (this.#closed) return void (handle as Server | DatagramSocket).close();
    if (message.kind === 'bound') {
      this.names.push(handle as DatagramSocket);
    } else if (message.role === 'redirected') {
      this.redirected.push(adopt(handle as Server));
    } else {
      this.#proxies.set(message.role, adopt(handle as Server));
    }
  }

  of(role: 'proxy' | 'straight'): Server {
    const server = this.#proxies.get(role);
    if (server === undefined) throw new QuietNamespaceError('the proxy port was not passed on');
    return server;
  }

  close(): void {
    this.#closed = true;
    for (const server of this.#proxies.values()) server.close();
    for (const server of this.redirected) server.close();
    for (const socket of this.names) socket.close();
  }
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A server that came over IPC would close a connection whose client has finished sending; ours must not. */
function adopt(received: Server): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }).listen(received);
}
