import { type ControlMethod, controlProtocol, type HostNotice, nativeHostName } from '@manypath/core';

/** What can be told of the way to the gateway. */
export type HostState =
  | { readonly kind: 'connecting' }
  /** The browser found no native messaging host, or it ended; `reason` is the browser's. */
  | { readonly kind: 'no-host'; readonly reason: string }
  | { readonly kind: 'wrong-version'; readonly version: string }
  | { readonly kind: 'notice'; readonly notice: HostNotice };

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** How long the host has to answer, in milliseconds. */
const answerMs = 5000;
/** The doctor tries each path. */
const doctorMs = 60_000;

/** A conversation with the gateway by way of the native messaging host; it lives as long as the page that holds it. */
export class HostPort {
  readonly #port: chrome.runtime.Port;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  /** @param onState Told of the host, of the gateway behind it, and of the end of both. */
  constructor(onState: (state: HostState) => void) {
    this.#port = chrome.runtime.connectNative(nativeHostName);
    this.#port.onMessage.addListener((message: unknown) => {
      if (isNotice(message)) onState(stateOf(message));
      else this.#settle(message);
    });
    this.#port.onDisconnect.addListener(() => {
      const reason = chrome.runtime.lastError?.message ?? 'the native messaging host has ended';
      for (const { reject } of this.#waiting.values()) reject(new Error(reason));
      this.#waiting.clear();
      onState({ kind: 'no-host', reason });
    });
  }

  /** Asks the gateway. Rejects with its message when it refuses or does not answer. */
  ask(method: ControlMethod, params?: unknown): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => {
          this.#waiting.delete(id);
          reject(new Error('the gateway does not answer'));
        },
        method === 'doctor' ? doctorMs : answerMs,
      );
      this.#waiting.set(id, {
        resolve: result => {
          clearTimeout(late);
          resolve(result);
        },
        reject: error => {
          clearTimeout(late);
          reject(error);
        },
      });
      this.#port.postMessage({ id, method, ...(params === undefined ? {} : { params }) });
    });
  }

  close(): void {
    this.#port.disconnect();
  }

  #settle(message: unknown): void {
    if (typeof message !== 'object' || message === null) return;
    const { id, result, error } = message as {
      id?: unknown;
      result?: unknown;
      error?: { message?: unknown };
    };
    const waiting = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    if (typeof id !== 'number' || waiting === undefined) return;
    this.#waiting.delete(id);
    if (error === undefined) waiting.resolve(result);
    else waiting.reject(new Error(String(error.message)));
  }
}

function isNotice(message: unknown): message is HostNotice {
  if (typeof message !== 'object' || message === null) return false;
  const { manypath, protocol, gateway } = message as Record<string, unknown>;
  return manypath === 'host' && typeof protocol === 'number' && (gateway === 'ready' || gateway === 'away');
}

function stateOf(notice: HostNotice): HostState {
  const wrong = [notice, notice.hello].find(side => side !== null && side.protocol !== controlProtocol);
  return wrong ? { kind: 'wrong-version', version: wrong.version } : { kind: 'notice', notice };
}
