import type { Socket } from 'node:net';

/** What Node keeps on sockets that were made with `onread`; the same in Node 20 to 26. */
interface StaticRead {
  useUserBuffer(buffer: Uint8Array): void;
}

/**
 * Has a socket that is open already, one with TLS on top too, read into given memory instead of emitting `data`, as `onread` does for
 * those that are being made. A buffer for each piece that is read costs more than TLS: they are counted as memory outside of the heap,
 * and the collector looks through everything for each 32 MB of them.
 *
 * @param memory Asked for what is read into next, once now and once after each read.
 * @param onRead Told how many bytes lie at the beginning of the last answer. @returns Whether more may follow at once; else after `resume`.
 * @returns Whether that can be done in this version of Node; else nothing has changed.
 */
export function readInto(
  socket: Socket,
  memory: () => Uint8Array,
  onRead: (length: number) => boolean,
): boolean {
  const handle = (socket as { _handle?: Partial<StaticRead> | null })._handle;
  if (typeof handle?.useUserBuffer !== 'function') return false;
  names ??= namesIn(socket);
  if (names === undefined) return false;
  const first = memory();
  const fields = socket as unknown as Record<symbol, unknown>;
  fields[names.buffer] = first;
  fields[names.callback] = onRead;
  fields[names.generator] = memory;
  handle.useUserBuffer(first);
  return true;
}

/** Under which symbols Node keeps them: the same for all sockets. */
interface Names {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly generator: symbol;
}

let names: Names | undefined;

function namesIn(socket: Socket): Names | undefined {
  const [buffer, callback, generator] = ['kBuffer', 'kBufferCb', 'kBufferGen'].map(description =>
    Object.getOwnPropertySymbols(socket).find(symbol => symbol.description === description),
  );
  if (buffer === undefined || callback === undefined || generator === undefined) return undefined;
  return { buffer, callback, generator };
}
