import {
  type ControlHello,
  formatAuthority,
  frameHeadBytes,
  type SettingsDocument,
  StreamBodyReader,
  streamLimits,
} from '@manypath/core';
import { HostPort } from '../host-port.ts';
import { Admission } from './admission.ts';
import { Consent } from './consent.ts';
import { bridgePort, doorPort } from './door-messages.ts';
import { grantsKey } from './grants.ts';
import { bridgePorts } from './port-bridge.ts';
import { StreamSwitch } from './stream-switch.ts';
import { Wakefulness } from './wakefulness.ts';

/** What the extension's frame in a page says to the worker, with the page's port for streams. */
export interface FrameMessage {
  readonly manypath: 'streams';
  /** The same as in the request that keeps the worker awake. */
  readonly id: string;
  /** Of the page, as the browser told the frame. */
  readonly origin: string;
  /** The page's document, as the worker told the script there. */
  readonly document: string;
}

/** What the frame says when it is not under the worker's control, which it has to be for its request to be seen. */
export interface ClaimMessage {
  readonly manypath: 'claim';
}

/** A request under this path is answered for as long as the frame's page has streams, and keeps the worker awake. */
export const lifelinePath = '/lifeline/';

/** How long the gateway may take to tell where it is, in milliseconds. */
const helloMs = 5000;
/** For how long what the configuration said is taken as it was, in milliseconds. */
const configMs = 2000;

/** Bytes that are read from the gateway at once: as many as Chromium keeps. */
const readBytes = 524_288;

declare const self: ServiceWorkerGlobalScope;

/** Carries the streams of web pages. To be called when the worker starts, at once: browsers take listeners only then. */
export function serveStreams(): void {
  const service = new StreamService();
  self.addEventListener('install', event => {
    // Pages of the extension are not to wait for the worker: only what keeps it awake is a POST.
    void event.addRoutes?.({ condition: { requestMethod: 'GET' }, source: 'network' });
    void self.skipWaiting();
  });
  self.addEventListener('activate', event => event.waitUntil(self.clients.claim()));
  self.addEventListener('message', event => service.onMessage(event));
  self.addEventListener('fetch', event => service.onFetch(event));
  chrome.runtime.onConnect.addListener(port => service.onConnect(port));
  chrome.storage.onChanged.addListener(changes => {
    if (changes[grantsKey] !== undefined) void service.recheck();
  });
}

class StreamService {
  readonly #consent = new Consent(() => this.#readConfig());
  readonly #wakefulness = new Wakefulness();
  readonly #admission = new Admission(this.#consent, this.#wakefulness);
  readonly #switch = new StreamSwitch({
    authorize: (page, wishes) => this.#consent.authorize(page, wishes),
  });
  /** What ends the streams of a frame, by the id of its request. */
  readonly #frames = new Map<string, () => void>();
  #socket: WebSocket | undefined;
  #connecting = false;
  #config: { readonly at: number; readonly config: Promise<Readonly<Record<string, unknown>>> } | undefined;

  onMessage(event: ExtendableMessageEvent): void {
    const [port] = event.ports;
    const message = event.data as Partial<FrameMessage> | ClaimMessage;
    const isOurs = event.origin === self.location.origin;
    if (isOurs && message.manypath === 'claim') event.waitUntil(self.clients.claim());
    if (!isOurs || message.manypath !== 'streams' || port === undefined) return;
    const { id = '', origin = '', document = '' } = message;
    const remove = this.#switch.add(this.#admission.pageOf(document, origin), port);
    const end = () => {
      this.#frames.delete(id);
      remove();
      this.#closeIfUnused();
    };
    this.#frames.set(id, end);
    port.addEventListener('close', end);
    this.#connectIfNeeded();
  }

  /** Answers the request of a frame with a body that ends when either side does. */
  onFetch(event: FetchEvent): void {
    const { pathname } = new URL(event.request.url);
    if (!pathname.startsWith(lifelinePath)) return;
    const id = pathname.slice(lifelinePath.length);
    const body = new ReadableStream<Uint8Array>({ cancel: () => this.#frames.get(id)?.() });
    event.respondWith(new Response(body));
    const reader = event.request.body?.getReader();
    const end = () => this.#frames.get(id)?.();
    reader?.read().then(end, end);
  }

  onConnect(port: chrome.runtime.Port): void {
    if (port.name === doorPort) this.#admission.serve(port);
    if (port.name === bridgePort) this.#serveBridge(port);
    // Scripts in pages connect as well: only pages of the extension ask the user.
    const isOurs = port.sender?.origin === self.location.origin;
    if (isOurs && port.name.startsWith('consent:')) this.#consent.serve(port);
  }

  /** Takes streams of a page in that come by the script there. The browser tells which document it is in, and of which origin. */
  #serveBridge(port: chrome.runtime.Port): void {
    const { documentId = '', origin = 'null' } = port.sender ?? {};
    if (origin === 'null') {
      port.disconnect();
      return;
    }
    const { port1, port2 } = new MessageChannel();
    const remove = this.#switch.add(this.#admission.pageOf(documentId, origin), port1);
    const sleep = this.#wakefulness.hold();
    bridgePorts(port2, port, () => {
      sleep();
      remove();
      this.#closeIfUnused();
    });
    this.#connectIfNeeded();
  }

  async recheck(): Promise<void> {
    if (this.#switch.pages > 0) this.#switch.recheck(await this.#consent.recheck());
  }

  #connectIfNeeded(): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) void this.#connect();
  }

  async #connect(): Promise<void> {
    if (this.#connecting) return;
    this.#connecting = true;
    try {
      await this.#openSocket(await askHost(helloOf));
    } catch (error) {
      this.#switch.disconnected(error instanceof Error ? error.message : String(error));
    } finally {
      this.#connecting = false;
    }
  }

  #openSocket({ streams }: ControlHello): Promise<void> {
    const place = `${formatAuthority(streams)}${streams.path}`;
    const name = crypto.randomUUID();
    return new Promise((resolve, reject) => {
      const protocols = [streams.protocol, `session.${name}`, `token.${streams.token}`];
      const socket = new WebSocket(`ws://${place}`, protocols);
      socket.binaryType = 'arraybuffer';
      socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) =>
        this.#switch.fromGateway([new Uint8Array(data)]);
      socket.onopen = async () => {
        await this.#receiveByBody(`http://${place}/${name}`, streams.token, socket);
        if (socket.readyState !== WebSocket.OPEN) return;
        this.#socket = socket;
        this.#switch.connected({
          get waiting() {
            return socket.bufferedAmount;
          },
          send: message => socket.send(message),
        });
        resolve();
      };
      socket.onclose = ({ reason }) => {
        const said = reason === '' ? 'the gateway went away' : reason;
        if (this.#socket !== socket) return reject(new Error('the gateway cannot be reached'));
        this.#socket = undefined;
        this.#switch.disconnected(said);
      };
    });
  }

  /**
   * Asks for what comes from the gateway in the body of an answer, which costs the browser less than messages of the WebSocket. Where
   * that is not to be had, those it is. Resolved when it is known.
   */
  async #receiveByBody(url: string, token: string, socket: WebSocket): Promise<void> {
    const gone = new AbortController();
    socket.addEventListener('close', () => gone.abort());
    try {
      const headers = { Authorization: `Bearer ${token}` };
      const init: RequestInit = { method: 'POST', headers, cache: 'no-store', credentials: 'omit' };
      const { ok, body } = await fetch(url, { ...init, signal: gone.signal });
      if (ok && body) void this.#readBody(body).finally(() => socket.close());
    } catch {
      // The WebSocket carries it.
    }
  }

  async #readBody(body: ReadableStream<Uint8Array>): Promise<void> {
    const frames = new StreamBodyReader(frameHeadBytes + streamLimits.frameBytes);
    // The same memory is read into again and again: memory that is new has to be made first.
    const reader = body.getReader({ mode: 'byob' });
    try {
      let next = await reader.read(new Uint8Array(readBytes));
      while (!next.done) {
        this.#switch.fromGateway(frames.receive(next.value));
        next = await reader.read(new Uint8Array(next.value.buffer));
      }
    } catch {
      // It is over either way.
    }
  }

  #closeIfUnused(): void {
    if (this.#switch.pages === 0) this.#socket?.close();
  }

  /** The user may write grants into the file at any time; asking for each of a thousand streams would be too much. */
  #readConfig(): Promise<Readonly<Record<string, unknown>>> {
    if (this.#config === undefined || Date.now() - this.#config.at > configMs) {
      const config = askHost(async port => ((await port.ask('settings')) as SettingsDocument).config);
      config.catch(() => {});
      this.#config = { at: Date.now(), config };
    }
    return this.#config.config;
  }
}

/** Asks the gateway something by the native messaging host, once. */
function askHost<Answer>(
  ask: (port: HostPort, hello: ControlHello) => Answer | Promise<Answer>,
): Promise<Answer> {
  return new Promise<Answer>((resolve, reject) => {
    const late = setTimeout(() => settle(new Error('the gateway did not answer in time')), helloMs);
    const port = new HostPort(state => {
      if (state.kind === 'connecting') return;
      if (state.kind === 'no-host') return settle(new Error(state.reason));
      if (state.kind === 'wrong-version') return settle(new Error('the gateway is of another version'));
      const { hello } = state.notice;
      if (hello === null) return settle(new Error('the gateway is not running'));
      Promise.resolve(ask(port, hello)).then(answer => settle(undefined, answer), settle);
    });
    function settle(error: Error | undefined, answer?: Answer): void {
      clearTimeout(late);
      port.close();
      if (error === undefined) resolve(answer as Answer);
      else reject(error);
    }
  });
}

function helloOf(_: HostPort, hello: ControlHello): ControlHello {
  return hello;
}
