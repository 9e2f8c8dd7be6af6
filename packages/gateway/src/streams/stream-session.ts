import {
  type Authority,
  errorMessage,
  formatAuthority,
  frameHeadBytes,
  longestInfo,
  ManypathError,
  parseAuthority,
  type StreamEvent,
  StreamMultiplexer,
  type StreamResetReason,
  streamLimits,
} from '@manypath/core';
import { forwardLimits } from '@manypath/forward';
import type { Client, Connection } from '../connection.ts';
import type { Dialer } from '../dialer.ts';
import { LocalTargetError } from '../errors.ts';
import type { GatewayLimits } from '../limits.ts';
import type { OnOver, Way } from '../ways/way.ts';
import { BufferPool } from './buffer-pool.ts';
import type { FrameSink } from './frame-sink.ts';
import type { ProgramKeeper } from './program-keeper.ts';
import { type StreamProgram, startProgram } from './program-leg.ts';
import { type LegEnds, StreamLeg } from './stream-leg.ts';

/** What a {@link StreamSession} needs from the gateway. */
export interface StreamSessionOptions {
  readonly limits: GatewayLimits;
  /** Who dials now. */
  readonly dialer: () => Dialer;
  /** Notes a connection, for the accounts. */
  readonly note: (target: Authority) => Connection;
  /** A program that the user lists, by its name. */
  readonly program: (name: string) => StreamProgram | undefined;
  /** Ends programs that the gateway cannot end. */
  readonly keeper: ProgramKeeper;
}

/** Buffers that are kept for messages of the browser. */
const mostKept = 32;

/** Connections are read frame by frame, or a few of them at once, and never late: they may be in the middle of a conversation. */
const readLimits = {
  ...forwardLimits,
  smallBufferBytes: streamLimits.frameBytes,
  bulkBufferBytes: 4 * streamLimits.frameBytes,
  bulkPauseMs: 0,
};

interface Leg {
  readonly leg: StreamLeg;
  /** Of what is no program. */
  readonly connection: Connection | undefined;
}

type OpenEvent = StreamEvent & { event: 'open' };

/** One connection of the extension: opens what its streams lead to, and moves their bytes (docs/STREAMS.md). */
export class StreamSession {
  readonly #options: StreamSessionOptions;
  readonly #multiplexer: StreamMultiplexer;
  readonly #legs = new Map<number, Leg>();
  /** Streams that are being opened, with what gives each of them up. */
  readonly #opening = new Map<number, AbortController>();
  readonly #waiting: (() => void)[] = [];
  readonly #buffers = new BufferPool(frameHeadBytes + streamLimits.frameBytes, mostKept);
  /** Streams whose data has all been sent since the wire was flushed last. */
  readonly #sent = new Set<number>();
  #wire: FrameSink | undefined;
  #dialling = 0;
  #programs = 0;

  constructor(options: StreamSessionOptions) {
    this.#options = options;
    const { streams, streamUploadBytes: widestWindowBytes } = options.limits;
    this.#multiplexer = new StreamMultiplexer('accepts', { streams, widestWindowBytes });
  }

  /** Where its frames go from now on. To be changed only before the other side has opened a stream: frames keep their order. */
  speakOn(wire: FrameSink): void {
    this.#wire = wire;
  }

  /** Memory for a message that it will {@link receive}. */
  allocate(length: number): Uint8Array {
    return this.#buffers.take(length);
  }

  receive(message: Uint8Array): void {
    for (const event of this.#multiplexer.receive(message)) this.#on(event);
    this.pump();
  }

  /** Sends what may be sent. */
  pump(): void {
    const wire = this.#wire;
    if (wire === undefined) return;
    let isEmpty = false;
    // What is gathered may fill the wire, and the kernel take all of it at once: then nobody tells that there is room again.
    while (!isEmpty && !wire.isFull) {
      wire.together(() => {
        while (!isEmpty && !wire.isFull) isEmpty = !this.#sendNext(wire);
      });
    }
    if (wire.isFlushed) this.#flushed();
  }

  /** @returns Whether there was anything that may be sent. */
  #sendNext(wire: FrameSink): boolean {
    const message = this.#multiplexer.nextPieces();
    if (message === undefined) return false;
    wire.send(...message.pieces);
    if (this.#multiplexer.queued(message.stream) === 0) this.#sent.add(message.stream);
    return true;
  }

  /** The wire is flushed. */
  drained(): void {
    this.#flushed();
    this.pump();
  }

  #flushed(): void {
    const sent = [...this.#sent];
    this.#sent.clear();
    for (const stream of sent) this.#legs.get(stream)?.leg.resume();
  }

  /** Breaks off everything, as there is nobody any more who could use it, but for streams that have ended in order and still deliver. */
  close(): void {
    this.#wire = undefined;
    for (const giveUp of this.#opening.values()) giveUp.abort(new Error('the browser went away'));
    for (const stream of [...this.#legs.keys()]) this.#abandon(stream);
  }

  #on(event: StreamEvent): void {
    const { stream } = event;
    const leg = this.#legs.get(stream)?.leg;
    switch (event.event) {
      case 'open':
        void this.#open(event);
        return;
      case 'data':
        leg?.write(event.bytes);
        return;
      case 'finish':
        leg?.end();
        return;
      case 'stop':
        leg?.stopReading();
        return;
      case 'reset':
        this.#opening.get(stream)?.abort(new Error(event.message));
        if (leg?.isProgram) this.#abandon(stream);
        else this.#drop(stream);
        return;
      case 'info':
        this.#multiplexer.info(stream, this.#infoOf(stream));
        return;
    }
  }

  async #open(event: OpenEvent): Promise<void> {
    const giveUp = new AbortController();
    this.#opening.set(event.stream, giveUp);
    try {
      await (event.kind === 'tcp' ? this.#connect(event, giveUp.signal) : this.#run(event, giveUp.signal));
    } catch (error) {
      this.#refuse(event.stream, error);
    } finally {
      this.#opening.delete(event.stream);
    }
    this.pump();
  }

  async #connect({ stream, target: text, local }: OpenEvent, signal: AbortSignal): Promise<void> {
    const target = parseAuthority(text);
    const connection = this.#options.note(target);
    const giveUp = (): void => connection.giveUp(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    const client: Client = {
      takeFirstBytes: () => new Uint8Array(),
      putBack: () => {},
      use: (way, onOver) => this.#use(stream, connection, way, onOver),
      refuse: error => this.#refuse(stream, error),
      onAbort: () => this.#end(stream, 'broken', 'the gateway is ending'),
    };
    await this.#inTurn(() => connection.serve(client, this.#options.dialer(), local ? 'any' : 'public'));
  }

  #use(stream: number, connection: Connection, way: Way, onOver: OnOver): void {
    const reader = way.asLeg(readLimits, onOver);
    // What a relay would hold besides can wait here.
    way.boundAhead(2 * this.#options.limits.streamAheadBytes);
    const destroy = (): void => way.abort(new Error('the page broke it off'));
    this.#attach(stream, { reader, writable: reader.stream, destroy }, connection);
    // Who connected for the relay's clients is the relay; what it is called is all that is known here.
    this.#multiplexer.accept(stream, place(way.from), place(way.to ?? connection.target));
  }

  async #run({ stream, target: name, origin }: OpenEvent, signal: AbortSignal): Promise<void> {
    const program = this.#options.program(name);
    // The same words for both: which programs there are is nobody's business.
    if (program === undefined || !program.origins.includes(origin)) throw new ProgramDeniedError();
    if (this.#programs >= this.#options.limits.streamPrograms) throw new TooManyProgramsError();
    this.#programs += 1;
    try {
      const { keeper, limits } = this.#options;
      const ends = await startProgram(program, keeper, limits, signal);
      void ends.outcome?.finally(() => {
        this.#programs -= 1;
      });
      this.#multiplexer.accept(stream);
      this.#attach(stream, ends, undefined);
    } catch (error) {
      this.#programs -= 1;
      throw error;
    }
  }

  #attach(stream: number, ends: LegEnds, connection: Connection | undefined): StreamLeg {
    const leg = new StreamLeg(
      ends,
      {
        onData: bytes => {
          this.#multiplexer.write(stream, bytes);
          this.pump();
          return this.#wire?.isFlushed === true && this.#multiplexer.queued(stream) === 0;
        },
        onTaken: bytes => {
          this.#multiplexer.consumed(stream, bytes.length);
          this.#buffers.give(bytes);
          this.pump();
        },
        onEnd: () => {
          this.#multiplexer.finish(stream);
          this.pump();
        },
        onExit: outcome => {
          this.#multiplexer.exit(stream, outcome);
          this.#over(stream);
          this.pump();
        },
        onStop: () => {
          this.#multiplexer.stop(stream);
          this.pump();
        },
        onBroken: reason => this.#end(stream, 'broken', reason),
      },
      this.#options.limits,
    );
    ends.writable.once('close', () => this.#over(stream));
    ends.reader.stream.once('close', () => this.#over(stream));
    this.#legs.set(stream, { leg, connection });
    return leg;
  }

  /** Both directions of what it led to are closed. */
  #over(stream: number): void {
    if (this.#legs.get(stream)?.leg.isOver) this.#legs.delete(stream);
  }

  #end(stream: number, reason: StreamResetReason, message: string): void {
    this.#multiplexer.reset(stream, reason, message);
    this.#drop(stream);
    this.pump();
  }

  /** As {@link #drop}, but lets it deliver what it was sent. */
  #abandon(stream: number): void {
    const { leg } = this.#legs.get(stream) ?? {};
    if (leg?.isDelivering) leg.retire();
    else this.#drop(stream);
  }

  #drop(stream: number): void {
    const leg = this.#legs.get(stream)?.leg;
    this.#legs.delete(stream);
    leg?.destroy();
  }

  #refuse(stream: number, error: unknown): void {
    this.#multiplexer.reset(stream, reasonOf(error), errorMessage(error));
  }

  #infoOf(stream: number): string {
    const { leg, connection } = this.#legs.get(stream) ?? {};
    const status = connection?.status();
    const text = JSON.stringify({
      route: status?.route ?? null,
      multipath: status?.mptcp ?? false,
      reason: status?.reason ?? 'A program of this computer.',
      subflows: status?.subflows ?? [],
      bytesIn: leg?.count.bytesIn ?? 0,
      bytesOut: leg?.count.bytesOut ?? 0,
    });
    return text.length > longestInfo ? '{}' : text;
  }

  /** Dials a few at a time: who opens a thousand streams at once must not overrun what they lead to. */
  async #inTurn(dial: () => Promise<void>): Promise<void> {
    if (this.#dialling >= this.#options.limits.streamDials) {
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    } else {
      this.#dialling += 1;
    }
    try {
      await dial();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#dialling -= 1;
      else next();
    }
  }
}

class ProgramDeniedError extends ManypathError {
  constructor() {
    super('MANYPATH_STREAM_PROGRAM_DENIED', 'this program is not listed for pages of this origin');
  }
}

class TooManyProgramsError extends ManypathError {
  constructor() {
    super('MANYPATH_STREAM_PROGRAMS_FULL', 'as many programs run as may');
  }
}

function reasonOf(error: unknown): StreamResetReason {
  if (error instanceof LocalTargetError) return 'local';
  if (error instanceof ProgramDeniedError) return 'denied';
  if (error instanceof TooManyProgramsError) return 'tooMany';
  const status = (error as { status?: unknown } | null)?.status;
  return status === 403 ? 'denied' : 'unreachable';
}

function place(end: Authority | undefined): string {
  return end === undefined ? '' : formatAuthority(end);
}
