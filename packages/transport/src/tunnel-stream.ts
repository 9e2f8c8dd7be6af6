import { Duplex } from 'node:stream';
import { resetCodes, type Tunnel, type TunnelReset, type TunnelUser } from '@manypath/session';
import { TunnelResetError } from './errors.ts';

/** A tunnel as a stream of Node, for those who want one: what is written is copied, since it may have to be sent again. */
export class TunnelStream extends Duplex implements TunnelUser {
  #tunnel: Tunnel | undefined;
  #untaken = 0;
  #whenDrained: (() => void) | undefined;
  #gotFinish = false;
  /** It was broken off, and is not destroyed as long as something is to be read. */
  #broken: TunnelResetError | undefined;

  /** Its user is to be this stream, from whenever that is on. */
  constructor(tunnel: Tunnel) {
    super({ allowHalfOpen: true, emitClose: true });
    this.#tunnel = tunnel;
  }

  onData(bytes: Uint8Array): void {
    this.#untaken += bytes.length;
    const isWanted = this.push(Buffer.from(bytes));
    if (isWanted) this.#take();
  }

  onFinish(): void {
    this.#gotFinish = true;
    this.push(null);
  }

  /** What came before is still read. */
  onReset({ code, message }: TunnelReset): void {
    this.#tunnel = undefined;
    this.#broken = new TunnelResetError(code, message);
    this.#breakIfRead();
  }

  onDrain(): void {
    const callback = this.#whenDrained;
    this.#whenDrained = undefined;
    callback?.();
  }

  override read(size?: number): Buffer | null {
    const bytes: Buffer | null = super.read(size);
    this.#breakIfRead();
    return bytes;
  }

  override _read(): void {
    this.#take();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    if (this.#tunnel?.write(Buffer.from(bytes)) === false) this.#whenDrained = callback;
    else callback();
  }

  override _final(callback: () => void): void {
    this.#tunnel?.finish();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const isOver = this.#gotFinish && this.writableFinished;
    if (!isOver) this.#tunnel?.reset({ code: resetCodes.cancelled, message: '' });
    this.#tunnel = undefined;
    this.onDrain();
    callback(error);
  }

  #breakIfRead(): void {
    if (this.#broken !== undefined && this.readableLength === 0) this.destroy(this.#broken);
  }

  #take(): void {
    const taken = this.#untaken;
    if (taken === 0) return;
    this.#untaken = 0;
    this.#tunnel?.consumed(taken);
  }
}
