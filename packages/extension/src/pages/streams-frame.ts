import { type ConnectMessage, type LifeMessage, portVersion } from '@manypath/page';
import type { FrameMessage } from '../streams/stream-service.ts';

/** How long the browser may take to put this page under the worker's control, in milliseconds. */
const controlMs = 1000;

// Only the page that this frame is in may speak to it: not other frames of that page, and not who opened it.
addEventListener('message', (event: MessageEvent<Partial<ConnectMessage>>) => {
  const [streams, life] = event.ports;
  const isFromPage = event.source === parent && parent !== window;
  if (!isFromPage || event.data?.manypath !== 'connect' || !streams || !life) return;
  const say = (message: LifeMessage) => life.postMessage(message);
  if (event.data.version !== portVersion) {
    say({ kind: 'unable', reason: 'the page and the extension are of different versions' });
  } else if (event.origin === 'null' || event.origin === '') {
    say({ kind: 'unable', reason: 'this page has no origin that the user could allow anything' });
  } else {
    say({ kind: 'frame' });
    void connect(event.origin, streams, life);
  }
});

async function connect(origin: string, streams: MessagePort, life: MessagePort): Promise<void> {
  const id = crypto.randomUUID();
  const gone = new AbortController();
  life.onmessage = () => gone.abort();
  life.addEventListener('close', () => gone.abort());
  const { active } = await navigator.serviceWorker.ready;
  const message: FrameMessage = { manypath: 'streams', id, origin };
  if (await isControlled()) {
    keepAwake(id, gone.signal).finally(() => life.postMessage({ kind: 'lost' } satisfies LifeMessage));
  }
  active?.postMessage(message, [streams]);
}

/** Resolved when the worker has ended, or has let go. The request has a body that does not end, so that each side sees the other's end. */
async function keepAwake(id: string, signal: AbortSignal): Promise<void> {
  try {
    const body = new ReadableStream<Uint8Array>();
    const init = { method: 'POST', body, duplex: 'half', signal } as RequestInit;
    const answer = await fetch(`/lifeline/${id}`, init);
    await answer.body?.getReader().read();
  } catch {
    // Broken off is ended, too.
  }
}

/** Right after the extension was installed, a page may not be under its worker's control yet. */
async function isControlled(): Promise<boolean> {
  const { serviceWorker } = navigator;
  if (serviceWorker.controller !== null) return true;
  await new Promise<void>(resolve => {
    serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true });
    setTimeout(resolve, controlMs);
  });
  return serviceWorker.controller !== null;
}
