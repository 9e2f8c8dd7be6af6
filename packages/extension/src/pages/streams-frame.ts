import type { LifeMessage } from '@manypath/page';
import type { PassMessage } from '../streams/door-frame.ts';
import type { ClaimMessage, FrameMessage } from '../streams/stream-service.ts';

/** How long the browser may take to put this page under the worker's control, in milliseconds. */
const controlMs = 1000;

// Only the page that this frame is in, and the extension's script there, may speak to it: not other frames of that page, and not who opened it.
addEventListener('message', (event: MessageEvent<Partial<PassMessage> | { manypath?: 'hello' }>) => {
  const [first, life] = event.ports;
  if (event.source !== parent || parent === window || first === undefined) return;
  if (event.data?.manypath === 'hello') first.postMessage(null);
  if (event.data?.manypath !== 'pass' || life === undefined) return;
  const say = (message: LifeMessage) => life.postMessage(message);
  if (event.origin === 'null' || event.origin === '') {
    say({ kind: 'unable', reason: 'this page has no origin that the user could allow anything' });
  } else {
    say({ kind: 'open' });
    void connect(event.origin, first, life);
  }
});

async function connect(origin: string, streams: MessagePort, life: MessagePort): Promise<void> {
  const id = crypto.randomUUID();
  const gone = new AbortController();
  life.onmessage = () => gone.abort();
  life.addEventListener('close', () => gone.abort());
  const { active } = await navigator.serviceWorker.ready;
  const message: FrameMessage = { manypath: 'streams', id, origin, document: location.hash.slice(1) };
  if (await isControlled(active)) {
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

/** A page that was loaded by the address that changes may not be under the worker's control. */
async function isControlled(worker: ServiceWorker | null): Promise<boolean> {
  const { serviceWorker } = navigator;
  if (serviceWorker.controller !== null) return true;
  worker?.postMessage({ manypath: 'claim' } satisfies ClaimMessage);
  await new Promise<void>(resolve => {
    serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true });
    setTimeout(resolve, controlMs);
  });
  return serviceWorker.controller !== null;
}
