import { fstatSync } from 'node:fs';
import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import type * as Koffi from 'koffi';
import { SystemCallError, UnsupportedError } from '../errors.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from './constants.ts';
import { errnoName } from './errno.ts';

/**
 * The seam between this package and the C library: nothing else here calls koffi.
 *
 * koffi is loaded on the first call, only on Linux, and never when a module is imported, so that importing the
 * package works everywhere. Every function is synchronous. Those without `try` in their name throw
 * `SystemCallError`; those with it return the negative errno, because there a refusal is an answer.
 */
export interface Libc {
  /** socket(2). Pass `SOCK_CLOEXEC | SOCK_NONBLOCK` in `type` yourself. */
  socket(family: number, type: number, protocol: number): number;
  /** As `socket`, but returns the negative errno of a refusal. */
  trySocket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): void;
  /** listen(2). */
  listen(fd: number, backlog: number): void;
  /**
   * accept4(2), non-blocking and close-on-exec: the new descriptor, with the address of its peer in `address` as a
   * `struct sockaddr`, or the negative errno of a refusal; EAGAIN when nobody waits.
   */
  tryAccept(fd: number, address: Uint8Array): number;
  send(fd: number, bytes: Uint8Array, flags?: number): number;
  sendTo(fd: number, bytes: Uint8Array, flags: number, address: Uint8Array): number;
  /** recv(2) into `buffer`: how many bytes came (with MSG_TRUNC the true length); `undefined` when nothing waits. */
  recv(fd: number, buffer: Uint8Array, flags: number): number | undefined;
  /** As `send`, but returns the negative errno of a refusal. */
  trySend(fd: number, bytes: Uint8Array, flags: number): number;
  /** recv(2) into `buffer`: how many bytes came, 0 at the end, or the negative errno of a refusal. */
  tryRecv(fd: number, buffer: Uint8Array, flags: number): number;
  /** Fills `buffer` and returns the length the kernel reported, which older kernels make smaller. */
  getsockopt(fd: number, level: number, name: number, buffer: Uint8Array): number;
  /** As `getsockopt`, but returns the negative errno of a refusal. */
  tryGetsockopt(fd: number, level: number, name: number, buffer: Uint8Array): number;
  /** The common `int` option; a negative errno when refused (no option read here is negative itself). */
  tryGetsockoptInt(fd: number, level: number, name: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array | number): void;
  /** As `setsockopt`, but returns 0 or the negative errno of a refusal. */
  trySetsockopt(fd: number, level: number, name: number, value: Uint8Array | number): number;
  /** The local address of a socket as a `struct sockaddr`. */
  getsockname(fd: number): Uint8Array;
  /** close(2). EINTR counts as closed, as on Linux it is. */
  close(fd: number): void;
  /** A second descriptor of the same open file, close-on-exec. */
  dup(fd: number): number;
  /** flock(2): 0, or the negative errno of a refusal, also where it would have to wait (`LOCK_NB`). */
  tryFlock(fd: number, operation: number): number;
  /** Moves the calling thread into the namespace that `fd` stands for. */
  setns(fd: number, type: number): void;
  /** Where the bytes of an off-heap buffer lie, for structs that hold pointers. Keep the buffer alive meanwhile. */
  addressOf(bytes: Uint8Array): bigint;
  /**
   * Calls `callback` whenever `fd` has something to read, from a `setImmediate` of its own, so that promises and
   * `nextTick` in it run at once. `fd` is duplicated: it may be closed in any order, and libuv may watch it too.
   * Level-triggered: read until `recv` says `undefined`, or it is called again. Throws on a bad or unpollable `fd`.
   */
  pollReadable(fd: number, callback: () => void): PollWatch;
  /**
   * Calls `callback` whenever `fd` is as `events` say, outside of Node's own turns: nothing in it may throw, and promises and
   * ticks made there wait for the next turn. libuv keeps one watch a descriptor.
   */
  poll(fd: number, events: PollEvents, callback: () => void): RawPoll;
}

/** What a descriptor is watched for. */
export interface PollEvents {
  readonly readable?: boolean;
  readonly writable?: boolean;
}

/** A watch of `poll`. */
export interface RawPoll {
  start(events: PollEvents, callback: () => void): void;
  stop(): void;
  close(): void;
}

/** A running watch of `pollReadable`. It keeps the process alive until closed or `unref`ed. */
export interface PollWatch {
  close(): void;
  ref(): void;
  unref(): void;
}

type Bound = ReturnType<typeof bindFunctions>;

interface Loaded {
  koffi: typeof Koffi;
  functions: Bound;
}

let loaded: Libc | undefined;
let failure: { reason: string; cause?: unknown } | undefined;

/**
 * The C library.
 *
 * @throws UnsupportedError `MPTCP_UNSUPPORTED` where there is none to call (not Linux, or koffi is missing).
 */
export function libc(): Libc {
  const found = tryLibc();
  if (found !== undefined) return found;
  throw new UnsupportedError(
    `The kernel cannot be called from here: ${failure?.reason ?? 'unknown reason'}`,
    {
      cause: failure?.cause,
      hint: 'Multipath TCP needs Linux and the npm package koffi with its prebuilt part for this machine.',
    },
  );
}

/** The C library, or `undefined` where it cannot be called; `whyNoLibc` tells why. */
export function tryLibc(): Libc | undefined {
  if (loaded !== undefined || failure !== undefined) return loaded;
  if (process.platform !== 'linux') {
    failure = { reason: `this is ${process.platform}, not Linux` };
  } else if (endianness() !== 'LE') {
    failure = { reason: 'this machine is big-endian, for which koffi has no prebuilt part' };
  } else {
    try {
      const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
      loaded = makeLibc({ koffi, functions: bindFunctions(koffi) });
    } catch (cause) {
      failure = { reason: 'koffi did not load', cause };
    }
  }
  return loaded;
}

/** Why `tryLibc` returned nothing, in a few words; `undefined` when it did return something. */
export function whyNoLibc(): string | undefined {
  return tryLibc() === undefined ? failure?.reason : undefined;
}

type Int = (...values: number[]) => number;
type WithBytes = (fd: number, bytes: Uint8Array, length: number, flags: number) => number | bigint;
type Option = (fd: number, level: number, name: number, value: Uint8Array, length: number) => number;

function bindFunctions(koffi: typeof Koffi) {
  // The running program already has the C library in it, be it glibc or musl.
  const library = koffi.load(null);
  return {
    socket: library.func('int socket(int family, int type, int protocol)') as Int,
    close: library.func('int close(int fd)') as Int,
    flock: library.func('int flock(int fd, int operation)') as Int,
    setns: library.func('int setns(int fd, int type)') as Int,
    fcntl: library.func('int fcntl(int fd, int command, ...)') as (
      fd: number,
      command: number,
      type: 'int',
      value: number,
    ) => number,
    bind: library.func('int bind(int fd, const void *address, uint length)') as (
      fd: number,
      address: Uint8Array,
      length: number,
    ) => number,
    listen: library.func('int listen(int fd, int backlog)') as Int,
    accept4: library.func('int accept4(int fd, void *address, void *length, int flags)') as (
      fd: number,
      address: Uint8Array,
      length: Uint8Array,
      flags: number,
    ) => number,
    send: library.func('long send(int fd, const void *bytes, size_t length, int flags)') as WithBytes,
    recv: library.func('long recv(int fd, void *bytes, size_t length, int flags)') as WithBytes,
    sendto: library.func(
      'long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, uint addressLength)',
    ) as (
      fd: number,
      bytes: Uint8Array,
      length: number,
      flags: number,
      address: Uint8Array,
      addressLength: number,
    ) => number | bigint,
    getsockopt: library.func('int getsockopt(int fd, int level, int name, void *value, void *length)') as (
      fd: number,
      level: number,
      name: number,
      value: Uint8Array,
      length: Uint8Array,
    ) => number,
    setsockopt: library.func(
      'int setsockopt(int fd, int level, int name, const void *value, uint length)',
    ) as Option,
    getsockname: library.func('int getsockname(int fd, void *address, void *length)') as (
      fd: number,
      address: Uint8Array,
      length: Uint8Array,
    ) => number,
  };
}

const F_DUPFD_CLOEXEC = 1030;
const EINTR = 4;
const EAGAIN = 11;

function makeLibc({ koffi, functions: c }: Loaded): Libc {
  const refused = (syscall: string, detail?: string): SystemCallError => {
    const errno = koffi.errno();
    return new SystemCallError(syscall, errno, errnoName(errno), detail);
  };
  const checked = (result: number | bigint, syscall: string, detail?: string): number => {
    const value = Number(result);
    if (value < 0) throw refused(syscall, detail);
    return value;
  };
  // Calls are synchronous and do not nest, so one scratch space serves them all.
  const lengthBytes = Buffer.allocUnsafeSlow(64);
  const length = new Uint32Array(lengthBytes.buffer, 0, 1);
  const intBytes = Buffer.allocUnsafeSlow(64);
  const int = new Int32Array(intBytes.buffer, 0, 1);

  const tryGetsockopt = (fd: number, level: number, name: number, buffer: Uint8Array): number => {
    length[0] = buffer.byteLength;
    return c.getsockopt(fd, level, name, buffer, lengthBytes) < 0 ? -koffi.errno() : (length[0] ?? 0);
  };
  const trySetsockopt = (fd: number, level: number, name: number, value: Uint8Array | number): number => {
    let bytes: Uint8Array = intBytes;
    let size = 4;
    if (typeof value === 'number') int[0] = value;
    else [bytes, size] = [value, value.byteLength];
    return c.setsockopt(fd, level, name, bytes, size) < 0 ? -koffi.errno() : 0;
  };
  const close = (fd: number): void => {
    if (c.close(fd) < 0 && koffi.errno() !== EINTR) throw refused('close', `of descriptor ${fd}`);
  };
  const dup = (fd: number): number =>
    checked(c.fcntl(fd, F_DUPFD_CLOEXEC, 'int', 3), 'fcntl', `duplicating descriptor ${fd}`);
  const option = (level: number, name: number): string => `level ${level} option ${name}`;

  return {
    socket: (family, type, protocol) =>
      checked(c.socket(family, type, protocol), 'socket', `family ${family} protocol ${protocol}`),
    trySocket(family, type, protocol) {
      const fd = c.socket(family, type, protocol);
      return fd < 0 ? -koffi.errno() : fd;
    },
    bind: (fd, address) => void checked(c.bind(fd, address, address.byteLength), 'bind'),
    listen: (fd, backlog) => void checked(c.listen(fd, backlog), 'listen'),
    tryAccept(fd, address) {
      length[0] = address.byteLength;
      const accepted = c.accept4(fd, address, lengthBytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
      return accepted < 0 ? -koffi.errno() : accepted;
    },
    send: (fd, bytes, flags = 0) => checked(c.send(fd, bytes, bytes.byteLength, flags), 'send'),
    sendTo: (fd, bytes, flags, address) =>
      checked(c.sendto(fd, bytes, bytes.byteLength, flags, address, address.byteLength), 'sendto'),
    recv(fd, buffer, flags) {
      for (;;) {
        const count = Number(c.recv(fd, buffer, buffer.byteLength, flags));
        if (count >= 0) return count;
        const errno = koffi.errno();
        if (errno === EAGAIN) return undefined;
        if (errno !== EINTR) throw new SystemCallError('recv', errno, errnoName(errno));
      }
    },
    tryGetsockopt,
    tryGetsockoptInt(fd, level, name) {
      length[0] = 4;
      return c.getsockopt(fd, level, name, intBytes, lengthBytes) < 0 ? -koffi.errno() : (int[0] ?? 0);
    },
    getsockopt(fd, level, name, buffer) {
      const result = tryGetsockopt(fd, level, name, buffer);
      if (result >= 0) return result;
      throw new SystemCallError('getsockopt', -result, errnoName(result), option(level, name));
    },
    trySetsockopt,
    setsockopt(fd, level, name, value) {
      const result = trySetsockopt(fd, level, name, value);
      if (result < 0)
        throw new SystemCallError('setsockopt', -result, errnoName(result), option(level, name));
    },
    getsockname(fd) {
      const address = Buffer.allocUnsafeSlow(128);
      length[0] = address.byteLength;
      checked(c.getsockname(fd, address, lengthBytes), 'getsockname');
      return address.subarray(0, length[0]);
    },
    close,
    dup,
    trySend: (fd, bytes, flags) => {
      const sent = Number(c.send(fd, bytes, bytes.length, flags));
      return sent < 0 ? -koffi.errno() : sent;
    },
    tryRecv: (fd, buffer, flags) => {
      const received = Number(c.recv(fd, buffer, buffer.length, flags));
      return received < 0 ? -koffi.errno() : received;
    },
    poll: (fd, events, callback) => koffi.node.poll(fd, events, callback),
    tryFlock: (fd, operation) => (c.flock(fd, operation) < 0 ? -koffi.errno() : 0),
    setns: (fd, type) => void checked(c.setns(fd, type), 'setns'),
    addressOf: bytes => koffi.address(bytes),
    pollReadable(fd, callback) {
      // koffi aborts the process when libuv refuses the descriptor, so only sockets and pipes get that far.
      const stat = fstatSync(fd);
      if (!stat.isSocket() && !stat.isFIFO()) {
        throw new UnsupportedError(`Descriptor ${fd} is neither a socket nor a pipe: it cannot be watched`);
      }
      const own = dup(fd);
      let open = true;
      let scheduled = false;
      const wake = (): void => {
        scheduled = false;
        if (open) callback();
      };
      let handle: Koffi.node.PollHandle;
      try {
        handle = koffi.node.poll(own, { readable: true }, () => {
          // Outside Node's callback scope: nothing may throw here, and promises made here would wait for the next timer.
          if (scheduled) return;
          scheduled = true;
          setImmediate(wake);
        });
      } catch (cause) {
        close(own);
        throw cause;
      }
      return {
        close: () => {
          if (!open) return;
          open = false;
          handle.close();
          close(own);
        },
        ref: () => handle.ref(),
        unref: () => handle.unref(),
      };
    },
  };
}
