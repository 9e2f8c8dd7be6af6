import type { Readable, Writable } from 'node:stream';
import {
  type ControlHello,
  type ControlRequest,
  controlProtocol,
  encodeNativeMessage,
  type HostNotice,
  type NativeMessage,
  NativeMessageDecoder,
  NativeMessageInvalidError,
  NativeMessageTooLongError,
} from '@manypath/core';
import { GatewayLink } from './gateway-link.ts';

/** What a {@link NativeHost} needs. */
export interface NativeHostOptions {
  /** State folder of the gateway. */
  readonly stateDir: string;
  /** Of Manypath, for the notice. */
  readonly version: string;
  /** Native messages of the browser. Its end is the end of the host. */
  readonly input: Readable;
  /** Native messages to the browser. */
  readonly output: Writable;
  /** Of the machine; default `little`. */
  readonly byteOrder?: 'little' | 'big';
}

interface ReplyError {
  readonly code: string;
  readonly message: string;
}

/** Characters of a method: what is longer cannot be one of ours. */
const longestMethod = 64;

/**
 * Carries native messages of the extension to the control socket of the gateway and back.
 *
 * The first message to the browser is a {@link HostNotice}, as is one whenever the gateway comes or goes. A request
 * that cannot be carried is answered with an error: `MANYPATH_GATEWAY_NOT_RUNNING`, `MANYPATH_NATIVE_MESSAGE_INVALID`
 * (with the id `null` where there is none to be read) or `MANYPATH_NATIVE_MESSAGE_TOO_LONG`. Events after `subscribe`
 * end with the gateway that was asked for them.
 */
export class NativeHost {
  /** Fulfilled when the browser has closed its end. */
  readonly ended: Promise<void>;
  readonly #options: NativeHostOptions;
  readonly #byteOrder: 'little' | 'big';
  readonly #link: GatewayLink;
  /** Ids of requests that the gateway has not answered. */
  readonly #waiting = new Set<number>();
  #announced = false;
  /** What the gateway said before it hung up. */
  #lastWords: ReplyError | undefined;

  constructor(options: NativeHostOptions) {
    const { input, output, stateDir, byteOrder = 'little' } = options;
    this.#options = options;
    this.#byteOrder = byteOrder;
    this.#link = new GatewayLink(stateDir, {
      onReady: hello => this.#announce('ready', hello),
      onAway: () => this.#onAway(),
      onMessage: message => this.#fromGateway(message),
      onDrain: () => this.#regulate(),
    });
    const decoder = new NativeMessageDecoder({ byteOrder });
    // Nothing is read before the first notice went out.
    input.pause();
    input.on('data', (bytes: Uint8Array) => {
      for (const message of decoder.push(bytes)) this.#fromBrowser(message);
      this.#regulate();
    });
    output.on('drain', () => this.#regulate());
    this.ended = new Promise(resolve => {
      const end = (): void => {
        this.#link.close();
        resolve();
      };
      for (const event of ['end', 'close', 'error']) input.once(event, end);
      // The browser may be gone without having said so.
      output.on('error', end);
    });
    this.#link.open();
  }

  #announce(gateway: HostNotice['gateway'], hello: ControlHello | null): void {
    const { version } = this.#options;
    const notice: HostNotice = { manypath: 'host', protocol: controlProtocol, version, gateway, hello };
    this.#announced = true;
    if (gateway === 'ready') this.#lastWords = undefined;
    this.#write(notice);
  }

  #onAway(): void {
    const error = this.#lastWords ?? this.#notRunning();
    this.#lastWords = undefined;
    for (const id of this.#waiting) this.#write({ id, error });
    this.#waiting.clear();
    this.#announce('away', null);
  }

  #fromBrowser(message: NativeMessage): void {
    if ('error' in message) this.#refuse(null, message.error);
    else this.#request(message.value);
  }

  #request(value: unknown): void {
    const request = asRequest(value);
    if (request === undefined) {
      const reason = 'it is no {id, method} with a whole number as its id';
      this.#refuse(idOf(value), new NativeMessageInvalidError(reason));
    } else if (!this.#link.ready) {
      this.#refuse(request.id, this.#notRunning());
    } else if (this.#waiting.has(request.id)) {
      const reason = `a request with the id ${request.id} waits already`;
      this.#refuse(null, new NativeMessageInvalidError(reason));
    } else {
      this.#waiting.add(request.id);
      this.#link.send(request);
    }
  }

  #fromGateway(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    const error = 'error' in message && isReplyError(message.error) ? message.error : undefined;
    if ('event' in message) {
      this.#write(message);
    } else if (!('id' in message) || typeof message.id !== 'number') {
      // What it cannot read it answers so, and hangs up.
      this.#lastWords = error;
    } else if (this.#waiting.delete(message.id)) {
      const { id } = message;
      this.#write(
        error === undefined ? { id, result: 'result' in message ? message.result : null } : { id, error },
      );
    }
  }

  #refuse(id: number | null, { code, message }: ReplyError): void {
    this.#write({ id, error: { code, message } });
  }

  /** An event that is too long is left out; a reply is replaced by an error. */
  #write(message: object): void {
    try {
      this.#options.output.write(encodeNativeMessage(message, { byteOrder: this.#byteOrder }));
    } catch (error) {
      if (!(error instanceof NativeMessageTooLongError)) throw error;
      const id = idOf(message);
      if (id !== null) this.#refuse(id, error);
    }
    this.#regulate();
  }

  /** Each side waits for the one that does not read, so that nothing gathers here. */
  #regulate(): void {
    const { input, output } = this.#options;
    const stuck = output.writableNeedDrain;
    this.#link.paused = stuck;
    if (!this.#announced || stuck || this.#link.full) input.pause();
    else input.resume();
  }

  #notRunning(): ReplyError {
    return {
      code: 'MANYPATH_GATEWAY_NOT_RUNNING',
      message: `no gateway with the state folder ${this.#options.stateDir} is running`,
    };
  }
}

/** The request in a message of the browser, without anything that is not part of one. */
function asRequest(value: unknown): ControlRequest | undefined {
  const id = idOf(value);
  if (id === null || id < 0 || typeof value !== 'object' || value === null || !('method' in value))
    return undefined;
  const { method } = value;
  if (typeof method !== 'string' || method.length > longestMethod) return undefined;
  return {
    id,
    // Which methods there are is the gateway's to say.
    method: method as ControlRequest['method'],
    ...('params' in value ? { params: value.params } : {}),
  };
}

function idOf(value: unknown): number | null {
  if (typeof value !== 'object' || value === null || !('id' in value)) return null;
  return Number.isSafeInteger(value.id) ? (value.id as number) : null;
}

function isReplyError(value: unknown): value is ReplyError {
  if (typeof value !== 'object' || value === null || !('code' in value) || !('message' in value))
    return false;
  return typeof value.code === 'string' && typeof value.message === 'string';
}
