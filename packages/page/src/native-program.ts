import { type ConsentWait, extensionConnection } from './extension-connection.ts';
import { type StreamInfo, StreamPair } from './stream-pair.ts';
import { abortOn } from './tcp-socket.ts';

/** How a program ended: with a status, or by a signal. */
export interface ProgramExit {
  readonly exitCode: number | null;
  /** E.g. `SIGTERM`. */
  readonly signal: string | null;
}

/** A program on this computer that a page talks to. */
export interface NativeProgram {
  /** Its standard output, and its standard input. */
  readonly opened: Promise<{
    readonly readable: ReadableStream<Uint8Array>;
    readonly writable: WritableStream<BufferSource>;
  }>;
  /** Fulfilled when it has ended, however it did, also while its output has not been read. Rejected when it was not started or was broken off. */
  readonly closed: Promise<ProgramExit>;
  /** Closes its input, and drops its output. */
  close(): Promise<void>;
  info(): Promise<StreamInfo>;
}

/**
 * Runs a program that the user has listed for this origin under `streams.programs` in the configuration. Rejects with a
 * `NotAllowedError` where it is not listed, whether it exists or not.
 *
 * @param options `signal` ends the program, too.
 */
export function connectNative(program: string, options: ConsentWait = {}): NativeProgram {
  const { signal } = options;
  const pair = extensionConnection([], options).then(connection => {
    signal?.throwIfAborted();
    const opened = new StreamPair(connection, 'program', program, false);
    abortOn(opened, signal);
    return opened;
  });
  const opened = pair.then(async one => {
    await one.opened;
    return { readable: one.readable, writable: one.writable };
  });
  const closed = pair.then(one => one.closed).then(exitOf);
  opened.catch(() => {});
  closed.catch(() => {});
  return {
    opened,
    closed,
    close: async () => (await pair).end(),
    info: async () => (await pair).info(),
  };
}

function exitOf(outcome: string): ProgramExit {
  const [kind, value = ''] = outcome.split(' ');
  if (kind === 'signal') return { exitCode: null, signal: value };
  return { exitCode: kind === 'exit' ? Number(value) : null, signal: null };
}
