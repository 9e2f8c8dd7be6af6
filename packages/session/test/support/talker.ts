import type { Tunnel, TunnelReset, TunnelUser } from '../../src/index.ts';

/** Sends a text of its own through a tunnel, as fast as it may, and keeps what comes. Its memory is used again once it is let go of. */
export class Talker implements TunnelUser {
  isFinished = false;
  reset: TunnelReset | undefined;
  isAccepted = false;
  /** Whether it takes what comes at once; else {@link take} does. */
  isEager = true;
  tunnel: Tunnel | undefined;
  /** Pieces that were written, and of them those that were let go of. */
  written = 0;
  released = 0;
  /** Whether something was told after all was over. */
  wasToldMore = false;
  readonly #text: Uint8Array;
  readonly #piece: number;
  readonly #received: Uint8Array[] = [];
  #said = 0;
  #untaken = 0;
  #hasBrokenOff = false;

  constructor(text: Uint8Array = new Uint8Array(), piece = 1000) {
    this.#text = text;
    this.#piece = piece;
  }

  get received(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** Whether it has been told that the tunnel is over, or knows by itself. */
  get isOver(): boolean {
    return (
      this.reset !== undefined || this.#hasBrokenOff || (this.isFinished && this.tunnel?.state === 'closed')
    );
  }

  begin(tunnel: Tunnel): void {
    this.tunnel = tunnel;
    this.onDrain();
  }

  onAccepted(): void {
    this.#hear();
    this.isAccepted = true;
  }

  onData(bytes: Uint8Array): void {
    this.#hear();
    this.#received.push(new Uint8Array(bytes));
    this.#untaken += bytes.length;
    if (this.isEager) this.take();
  }

  take(bytes = this.#untaken): void {
    const taken = Math.min(bytes, this.#untaken);
    this.#untaken -= taken;
    if (taken > 0) this.tunnel?.consumed(taken);
  }

  onFinish(): void {
    this.#hear();
    this.isFinished = true;
  }

  onReset(reset: TunnelReset): void {
    this.#hear();
    this.reset = reset;
  }

  onDrain(): void {
    while (this.#said < this.#text.length) {
      const text = this.#text.subarray(this.#said, this.#said + this.#piece);
      const memory = new Uint8Array(16 + text.length);
      memory.set(text, 16);
      this.#said += text.length;
      this.written += 1;
      const mayGoOn = this.tunnel?.write(memory.subarray(16), true, () => {
        this.released += 1;
        memory.fill(0xee);
      });
      if (mayGoOn === false) return;
    }
    this.tunnel?.finish();
  }

  breakOff(): void {
    if (this.tunnel === undefined || this.tunnel.state === 'closed') return;
    this.#hasBrokenOff = true;
    this.tunnel.reset({ code: 1, message: 'enough' });
  }

  #hear(): void {
    if (this.#hasBrokenOff || this.reset !== undefined) this.wasToldMore = true;
  }
}

/** Bytes that differ from those of other tunnels and from their neighbours. */
export function textOf(seed: number, length: number): Uint8Array {
  const text = new Uint8Array(length);
  let state = seed * 2654435761;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    text[at] = state >>> 24;
  }
  return text;
}
