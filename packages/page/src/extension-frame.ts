import { extensionId } from '@manypath/core';
import { networkError, notSupported } from './errors.ts';
import { PortConnection } from './port-connection.ts';
import { type ConnectMessage, type LifeMessage, portVersion, type SwitchMessage } from './port-messages.ts';

/** How long the extension's frame has to answer after it has loaded, in milliseconds. */
const frameMs = 2000;
/** How long the frame may take to load, in milliseconds. */
const loadMs = 10_000;
/** How long the extension may take to reach the gateway, in milliseconds. */
const readyMs = 15_000;
/** How long a connection without streams is kept, in milliseconds. */
const idleMs = 15_000;

const frameOrigin = `chrome-extension://${extensionId}`;

let frame: Promise<HTMLIFrameElement> | undefined;
let connection: Promise<PortConnection> | undefined;

/**
 * The way to the extension, made when it is needed first and again after it broke.
 *
 * @throws DOMException `NotSupportedError`: there is no extension, or this page cannot have it; `NetworkError`: there is no
 *   gateway
 */
export function extensionConnection(): Promise<PortConnection> {
  connection ??= connect().catch(error => {
    connection = undefined;
    throw error;
  });
  return connection;
}

/** This side's ends of a way to the extension: for streams, and for news of their life. */
export interface ExtensionPorts {
  readonly streams: MessagePort;
  readonly life: MessagePort;
}

let portSource: () => Promise<ExtensionPorts> = portsByFrame;

/** Takes ports from somebody else: a worker cannot have a frame. */
export function takePortsFrom(source: () => Promise<ExtensionPorts>): void {
  portSource = source;
}

async function connect(): Promise<PortConnection> {
  return ready(await portSource());
}

/**
 * Asks the frame of the extension in this page for a way.
 *
 * @throws DOMException `NotSupportedError`
 */
export async function portsByFrame(): Promise<ExtensionPorts> {
  if (typeof document === 'undefined') {
    throw notSupported('in a worker, streams come from its page: call shareStreams(worker) there');
  }
  if (self.origin === 'null') {
    throw notSupported('this page is sandboxed and has no origin that the user could allow anything');
  }
  const streams = new MessageChannel();
  const life = new MessageChannel();
  await greet(streams.port2, life);
  return { streams: streams.port1, life: life.port1 };
}

/** Gives the extension's frame the ports, and waits until it says that it has them. */
async function greet(streams: MessagePort, life: MessageChannel): Promise<void> {
  const { contentWindow } = await loadedFrame();
  const answer = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(notSupported(absent)), frameMs);
    life.port1.onmessage = ({ data }: MessageEvent<LifeMessage>) => {
      clearTimeout(late);
      if (data.kind === 'unable') reject(notSupported(data.reason));
      else resolve();
    };
  });
  const hello: ConnectMessage = { manypath: 'connect', version: portVersion };
  contentWindow?.postMessage(hello, frameOrigin, [streams, life.port2]);
  try {
    await answer;
  } catch (error) {
    forgetFrame();
    throw error;
  }
}

const absent =
  'the Manypath extension does not answer: it is not installed in this browser, or this page may not embed it';

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

function loadedFrame(): Promise<HTMLIFrameElement> {
  frame ??= new Promise((resolve, reject) => {
    const element = document.createElement('iframe');
    element.hidden = true;
    element.style.display = 'none';
    element.setAttribute('aria-hidden', 'true');
    element.tabIndex = -1;
    element.title = 'Manypath';
    element.src = `${frameOrigin}/streams-frame.html`;
    const late = setTimeout(() => {
      forgetFrame();
      reject(notSupported(absent));
    }, loadMs);
    element.addEventListener(
      'load',
      () => {
        clearTimeout(late);
        resolve(element);
      },
      { once: true },
    );
    (document.body ?? document.documentElement).append(element);
  });
  return frame;
}

function forgetFrame(): void {
  void frame?.then(element => element.remove()).catch(() => {});
  frame = undefined;
}
