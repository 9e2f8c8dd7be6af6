import { notSupported } from './errors.ts';
import { type ExtensionPorts, portsByFrame, takePortsFrom } from './extension-frame.ts';

/** What a page says to its worker, with the port on which the worker asks for ways to the extension. */
interface ShareMessage {
  readonly manypath: 'share';
}

type ShareAnswer = { readonly ports: true } | { readonly ports: false; readonly reason: string };

/** Lets a worker of this page open streams, in the name of this page. The worker imports this module, too. */
export function shareStreams(worker: Worker): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    portsByFrame().then(
      ({ streams, life }) => port1.postMessage({ ports: true } satisfies ShareAnswer, [streams, life]),
      error => port1.postMessage({ ports: false, reason: String(error.message) } satisfies ShareAnswer),
    );
  };
  worker.postMessage({ manypath: 'share' } satisfies ShareMessage, [port2]);
}

/** In a worker: waits for its page to share. */
export function awaitShare(): void {
  if (typeof document !== 'undefined' || typeof self === 'undefined') return;
  const shared = new Promise<MessagePort>(resolve => {
    self.addEventListener('message', event => {
      const [port] = event.ports;
      if (!isShare(event.data) || port === undefined) return;
      event.stopImmediatePropagation();
      resolve(port);
    });
  });
  takePortsFrom(async () => {
    const source = await Promise.race([shared, lateness()]);
    return askFor(source);
  });
}

/** How long a page may take to share its streams, in milliseconds. */
const shareMs = 5000;

function lateness(): Promise<never> {
  return new Promise((_, reject) => {
    const error = notSupported('the page of this worker has not called shareStreams(worker)');
    setTimeout(() => reject(error), shareMs);
  });
}

function askFor(source: MessagePort): Promise<ExtensionPorts> {
  return new Promise((resolve, reject) => {
    source.onmessage = ({ data, ports }: MessageEvent<ShareAnswer>) => {
      const [streams, life] = ports;
      if (!data.ports) reject(notSupported(data.reason));
      else if (streams && life) resolve({ streams, life });
    };
    source.postMessage('connect');
  });
}

function isShare(data: unknown): boolean {
  return typeof data === 'object' && data !== null && 'manypath' in data && data.manypath === 'share';
}
