import type { StreamWish } from '@manypath/core';
import { networkError, notAllowed, notSupported } from './errors.ts';
import { PortConnection } from './port-connection.ts';
import {
  type AskMessage,
  type ConnectMessage,
  type LifeMessage,
  portVersion,
  type SwitchMessage,
} from './port-messages.ts';

/** How long the user has to allow a page something, unless the page says so, in milliseconds. */
const consentMs = 30_000;
/** How long the extension may take to open a way, in milliseconds. */
const openMs = 15_000;
/** How long the extension may take to reach the gateway, in milliseconds. */
const readyMs = 15_000;
/** How long a connection without streams is kept, in milliseconds. */
const idleMs = 15_000;

let connection: Promise<PortConnection> | undefined;

/** How long to wait for consent. */
export interface ConsentWait {
  /**
   * How long the user has to allow this page something, in milliseconds, where its origin is allowed nothing yet. Until then nobody
   * can tell whether they will, or whether there is an extension at all. Default 30 000.
   */
  readonly consentTimeout?: number;
  /** Gives up. */
  readonly signal?: AbortSignal;
}

/**
 * The way to the extension, made when it is needed first and again after it broke.
 *
 * @param wishes What it is wanted for, in case that the user has to be asked whether this page may have anything.
 * @throws DOMException `NotAllowedError`: the user does not allow it, or there is no extension; `NotSupportedError`: this page
 *   cannot have it; `NetworkError`: there is no gateway; the reason of the signal
 */
export async function extensionConnection(
  wishes: readonly StreamWish[],
  { consentTimeout = consentMs, signal }: ConsentWait = {},
): Promise<PortConnection> {
  signal?.throwIfAborted();
  const found = connection ?? askSource(wishes, consentTimeout).then(connectOnce);
  return signal === undefined ? found : Promise.race([found, aborted(signal, found)]);
}

function connectOnce(): Promise<PortConnection> {
  connection ??= connect().catch(error => {
    connection = undefined;
    throw error;
  });
  return connection;
}

/** Rejects when a signal says so, for as long as something takes. */
function aborted(signal: AbortSignal, during: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const done = () => signal.removeEventListener('abort', onAbort);
    during.then(done, done);
  });
}

/** This side's ends of a way to the extension: for streams, and for news of their life. */
export interface ExtensionPorts {
  readonly streams: MessagePort;
  readonly life: MessagePort;
}

let portSource: () => Promise<ExtensionPorts> = portsByDoor;
let askSource: (wishes: readonly StreamWish[], consentTimeout: number) => Promise<void> = askDoor;

/** Asks and takes ports from somebody else: the extension hears no worker. */
export function takePortsFrom(source: typeof portSource, ask: typeof askSource): void {
  portSource = source;
  askSource = ask;
}

/**
 * Asks whether this page may have a way to the extension. To pages that are allowed nothing it keeps silent, so that they cannot
 * tell it from none.
 *
 * @throws DOMException `NotAllowedError`, `NotSupportedError`
 */
export async function askDoor(wishes: readonly StreamWish[], consentTimeout: number): Promise<void> {
  checkPage();
  const { port1, port2 } = new MessageChannel();
  const admitted = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(notAllowed(silence)), consentTimeout);
    port1.onmessage = () => {
      clearTimeout(late);
      resolve();
    };
  });
  postToSelf({ manypath: 'ask', wishes }, [port2]);
  await admitted.finally(() => port1.close());
}

const silence =
  'nobody has allowed this page anything: the user did not, or has no Manypath extension in this browser';

async function connect(): Promise<PortConnection> {
  return ready(await portSource());
}

/** The extension's script in this page hears it, in a world of its own. */
function postToSelf(message: AskMessage | ConnectMessage, ports: MessagePort[]): void {
  postMessage(message, self.origin, ports);
}

function checkPage(): void {
  if (typeof document === 'undefined') {
    throw notSupported('in a worker, streams come from its page: call shareStreams(worker) there');
  }
  if (self.origin === 'null') {
    throw notSupported('this page is sandboxed and has no origin that the user could allow anything');
  }
}

/**
 * Has the extension open a way, after it has admitted this page.
 *
 * @throws DOMException `NotSupportedError`
 */
export async function portsByDoor(): Promise<ExtensionPorts> {
  checkPage();
  const streams = new MessageChannel();
  const life = new MessageChannel();
  const opened = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(notSupported('the Manypath extension does not answer')), openMs);
    life.port1.onmessage = ({ data }: MessageEvent<LifeMessage>) => {
      clearTimeout(late);
      if (data.kind === 'unable') reject(notSupported(data.reason));
      else resolve();
    };
  });
  postToSelf({ manypath: 'connect', version: portVersion }, [streams.port2, life.port2]);
  await opened;
  return { streams: streams.port1, life: life.port1 };
}

/** Waits until the extension has reached the gateway. */
function ready({ streams: port, life }: ExtensionPorts): Promise<PortConnection> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => {
      clearTimeout(late);
      port.close();
      life.postMessage({ kind: 'close' });
      reject(networkError(reason));
    };
    const late = setTimeout(() => fail('the extension did not reach the gateway in time'), readyMs);
    life.onmessage = ({ data }: MessageEvent<LifeMessage>) => {
      if (data.kind === 'lost') fail('the extension ended the connection');
    };
    port.onmessage = ({ data }: MessageEvent<SwitchMessage>) => {
      if (data.kind !== 'ready')
        return fail(data.kind === 'away' ? data.reason : 'the extension does not serve');
      clearTimeout(late);
      const made = new PortConnection(port, ended => {
        clearInterval(idle);
        life.postMessage({ kind: 'close' });
        void connection?.then(current => {
          if (current === ended) connection = undefined;
        });
      });
      life.onmessage = ({ data: news }: MessageEvent<LifeMessage>) => {
        if (news.kind === 'lost') made.end('the extension ended the connection');
      };
      const idle = endWhenIdle(made);
      resolve(made);
    };
  });
}

/** A connection that nobody uses keeps the extension awake for nothing. */
function endWhenIdle(made: PortConnection): ReturnType<typeof setInterval> {
  let wasIdle = false;
  return setInterval(() => {
    if (made.size > 0) wasIdle = false;
    else if (wasIdle) made.end('nobody used it');
    else wasIdle = true;
  }, idleMs / 2);
}
