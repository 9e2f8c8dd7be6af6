import type { StreamWish } from '@manypath/core';
import { notSupported } from './errors.ts';
import { askDoor, type ExtensionPorts, portsByDoor, takePortsFrom } from './extension-connection.ts';

/** What a page says to its worker, with the port on which the worker asks for ways to the extension. */
interface ShareMessage {
  readonly manypath: 'share';
}

/** What the worker wants of its page, with a port for the answer. */
type ShareRequest =
  | { readonly kind: 'ask'; readonly wishes: readonly StreamWish[]; readonly consentTimeout: number }
  | { readonly kind: 'connect' };

/** The answer, with what was asked for; or the name and the message of a DOMException. */
type ShareAnswer =
  | { readonly ok: true }
  | { readonly ok: false; readonly name: string; readonly reason: string };

/** Lets a worker of this page open streams, in the name of this page. The worker imports this module, too. */
export function shareStreams(worker: Worker): void {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data, ports: [reply] }: MessageEvent<ShareRequest>) => {
    serve(data).then(
      ports => reply?.postMessage({ ok: true } satisfies ShareAnswer, ports),
      ({ name, message: reason }: DOMException) =>
        reply?.postMessage({ ok: false, name, reason } satisfies ShareAnswer),
    );
  };
  worker.postMessage({ manypath: 'share' } satisfies ShareMessage, [port2]);
}

async function serve(request: ShareRequest): Promise<MessagePort[]> {
  if (request.kind === 'connect') {
    const { streams, life } = await portsByDoor();
    return [streams, life];
  }
  await askDoor(request.wishes, request.consentTimeout);
  return [];
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
  const source = () => Promise.race([shared, lateness()]);
  takePortsFrom(
    async () => portsOf(await ask(await source(), { kind: 'connect' })),
    async (wishes, consentTimeout) => {
      await ask(await source(), { kind: 'ask', wishes, consentTimeout });
    },
  );
}

/** How long a page may take to share its streams, in milliseconds. */
const shareMs = 5000;

function lateness(): Promise<never> {
  return new Promise((_, reject) => {
    const error = notSupported('the page of this worker has not called shareStreams(worker)');
    setTimeout(() => reject(error), shareMs);
  });
}

function ask(source: MessagePort, request: ShareRequest): Promise<readonly MessagePort[]> {
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data, ports }: MessageEvent<ShareAnswer>) => {
      port1.close();
      if (data.ok) resolve(ports);
      else reject(new DOMException(data.reason, data.name));
    };
    source.postMessage(request, [port2]);
  });
}

function portsOf([streams, life]: readonly MessagePort[]): ExtensionPorts {
  if (streams === undefined || life === undefined) throw notSupported('the page gave no way');
  return { streams, life };
}

function isShare(data: unknown): boolean {
  return typeof data === 'object' && data !== null && 'manypath' in data && data.manypath === 'share';
}
