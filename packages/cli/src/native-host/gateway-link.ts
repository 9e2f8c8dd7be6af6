import { type FSWatcher, watch } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { basename } from 'node:path';
import { type ControlHello, type ControlReply, encodeJsonLine, JsonLineDecoder } from '@manypath/core';
import { controlSocketPath } from '@manypath/gateway/control-socket-path';

/** How long {@link GatewayLink} waits, in milliseconds. */
export const gatewayLinkTimes = {
  /** Between two attempts while no gateway is there. */
  retryMs: 500,
  /** From the moment that the socket appears until it is tried: it is made before anybody listens on it. */
  appearedMs: 10,
  /** For the gateway's answer to `hello`. */
  helloMs: 2000,
} as const;

/** What a {@link GatewayLink} tells. */
export interface GatewayLinkListener {
  /** The gateway is there. `null`: it is of a version that does not say who it is. */
  onReady(hello: ControlHello | null): void;
  /** It is not there; told after the first attempt, and when it has gone. */
  onAway(): void;
  /** A reply or an event of it. */
  onMessage(message: unknown): void;
  /** What was sent has left. */
  onDrain(): void;
}

/** Requests of the browser have ids from 0. */
const helloId = -1;
const socketName = 'control.sock';

/**
 * A conversation with the gateway of a state folder that is taken up again, for as long as it takes, whenever a gateway
 * is there. While one is, no timer runs.
 */
export class GatewayLink {
  readonly #stateDir: string;
  readonly #listener: GatewayLinkListener;
  #socket: Socket | undefined;
  #state: 'unknown' | 'ready' | 'away' = 'unknown';
  #retry: NodeJS.Timeout | undefined;
  #watcher: FSWatcher | undefined;
  #paused = false;
  #closed = false;

  constructor(stateDir: string, listener: GatewayLinkListener) {
    this.#stateDir = stateDir;
    this.#listener = listener;
  }

  /** Begins to look for the gateway. */
  open(): void {
    this.#attempt();
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  /** Whether so much was sent that has not left that more should wait for {@link GatewayLinkListener.onDrain}. */
  get full(): boolean {
    return this.ready && this.#socket?.writableNeedDrain === true;
  }

  /** Sends a request; only to be called when {@link ready}. */
  send(request: object): void {
    this.#socket?.write(encodeJsonLine(request));
  }

  /** Whether messages of the gateway have to wait. */
  set paused(paused: boolean) {
    this.#paused = paused;
    if (paused) this.#socket?.pause();
    else this.#socket?.resume();
  }

  close(): void {
    this.#closed = true;
    this.#stopLooking();
    this.#socket?.destroy();
  }

  #attempt(): void {
    if (this.#closed || this.#socket !== undefined) return;
    try {
      const path = controlSocketPath(this.#stateDir);
      this.#converse(connect(path.path), path.release);
    } catch {
      // A folder that cannot be opened holds no socket that can.
      this.#gone();
    }
  }

  /** @param onSettled Called when it is clear whether somebody listens. */
  #converse(socket: Socket, onSettled: () => void): void {
    this.#socket = socket;
    const decoder = new JsonLineDecoder();
    // What is at the other end of the socket may be stopped.
    const impatience = setTimeout(() => socket.destroy(), gatewayLinkTimes.helloMs);
    socket.once('connect', () => socket.write(encodeJsonLine({ id: helloId, method: 'hello' })));
    for (const event of ['connect', 'error']) {
      socket.once(event, () => {
        onSettled();
        onSettled = () => {};
      });
    }
    socket.on('error', () => {});
    socket.on('drain', () => this.#listener.onDrain());
    socket.on('data', bytes => {
      let messages: unknown[] = [];
      try {
        messages = decoder.push(bytes);
      } catch {
        // It does not speak our language: as good as nobody.
        socket.destroy();
      }
      for (const message of messages) this.#receive(message, impatience);
    });
    socket.once('close', () => {
      clearTimeout(impatience);
      onSettled();
      this.#socket = undefined;
      if (!this.#closed) this.#gone();
    });
  }

  #receive(message: unknown, impatience: NodeJS.Timeout): void {
    if (!isHelloReply(message)) {
      this.#listener.onMessage(message);
    } else {
      clearTimeout(impatience);
      this.#arrived(message);
    }
  }

  #arrived(reply: ControlReply): void {
    if (this.ready) return;
    this.#stopLooking();
    this.#state = 'ready';
    if (this.#paused) this.#socket?.pause();
    this.#listener.onReady('result' in reply && isHello(reply.result) ? reply.result : null);
  }

  #gone(): void {
    const before = this.#state;
    this.#state = 'away';
    this.#look();
    if (before !== 'away') this.#listener.onAway();
  }

  #look(): void {
    this.#tryAgainIn(gatewayLinkTimes.retryMs);
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.#stateDir, (_, name) => {
        if (name === socketName) this.#tryAgainIn(gatewayLinkTimes.appearedMs);
        // The folder itself went: the one that comes in its place has to be watched.
        else if (name === basename(this.#stateDir)) this.#stopWatching();
      });
      this.#watcher.on('error', () => this.#stopWatching());
    } catch {
      // There is no such folder yet, or the system watches enough already: the timer finds the gateway too.
    }
  }

  #tryAgainIn(milliseconds: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#attempt(), milliseconds);
  }

  #stopLooking(): void {
    clearTimeout(this.#retry);
    this.#stopWatching();
  }

  #stopWatching(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

function isHelloReply(message: unknown): message is ControlReply {
  return typeof message === 'object' && message !== null && 'id' in message && message.id === helloId;
}

function isHello(value: unknown): value is ControlHello {
  return (
    typeof value === 'object' && value !== null && 'protocol' in value && Number.isInteger(value.protocol)
  );
}
