/**
 * Runs in every page, unseen: it answers pages that the user allowed something, and does nothing else that a page could notice.
 */
import type { StreamWish } from '@manypath/core';
import type { AskAnswer, AskMessage, ConnectMessage, LifeMessage } from '@manypath/page';
import { DoorFrame } from './streams/door-frame.ts';
import { bridgePort, type DoorAnswer, type DoorQuestion, doorPort } from './streams/door-messages.ts';
import { bridgePorts } from './streams/port-bridge.ts';
import { isList, mostWishes } from './streams/wishes.ts';

/** What a page asks within this time goes to the worker together, in milliseconds: so it is one question to the user. */
const gatherMs = 20;
/** At least so long after the last time: else a page could tell by how busy asking keeps it. */
const restMs = 500;
/** Questions of the page that wait at most. */
const mostWaiting = 256;

interface Asked {
  readonly wishes: readonly StreamWish[];
  readonly port: MessagePort;
}

/** What the worker said of this page, once it may know of the extension. */
let admitted: DoorAnswer | undefined;
let frame: DoorFrame | undefined;
let waiting: Asked[] = [];
let handedAt = Number.NEGATIVE_INFINITY;

addEventListener('message', ({ source, data, ports: [first, second] }: MessageEvent<unknown>) => {
  if (source !== window || first === undefined || typeof data !== 'object' || data === null) return;
  const message = data as Partial<AskMessage | ConnectMessage>;
  if (message.manypath === 'ask' && isList(message.wishes)) ask({ wishes: message.wishes, port: first });
  if (message.manypath === 'connect' && second !== undefined && admitted !== undefined) {
    void connect(admitted, message, first, second);
  }
});

function ask(asked: Asked): void {
  if (admitted !== undefined) admit(asked);
  else if (waiting.push(asked) === 1)
    setTimeout(hand, Math.max(gatherMs, handedAt + restMs - performance.now()));
  else if (waiting.length > mostWaiting) waiting.pop();
}

function admit({ port }: Asked): void {
  port.postMessage({ kind: 'admitted' } satisfies AskAnswer);
}

/** Hands the worker what waits, as much as goes in one question. */
function hand(): void {
  handedAt = performance.now();
  const handed: Asked[] = [];
  const wishes: StreamWish[] = [];
  for (const asked of waiting) {
    if (wishes.length + asked.wishes.length > mostWishes) break;
    wishes.push(...asked.wishes);
    handed.push(asked);
  }
  waiting = waiting.slice(handed.length);
  if (waiting.length > 0) setTimeout(hand, restMs);
  try {
    const worker = chrome.runtime.connect({ name: doorPort });
    worker.onMessage.addListener((answer: DoorAnswer) => {
      admitted = answer;
      for (const asked of handed) admit(asked);
    });
    worker.postMessage({ wishes } satisfies DoorQuestion);
  } catch {
    // The extension was updated or removed: as good as none.
  }
}

async function connect(
  { document, version }: DoorAnswer,
  message: Partial<ConnectMessage>,
  streams: MessagePort,
  life: MessagePort,
): Promise<void> {
  if (message.version !== version) {
    const reason = 'the page and the extension are of different versions';
    life.postMessage({ kind: 'unable', reason } satisfies LifeMessage);
    return;
  }
  // Chromium lets no frame into an isolated page whose address changes with each run.
  frame ??= crossOriginIsolated ? undefined : new DoorFrame(document);
  if (frame !== undefined && (await frame.pass(streams, life))) return;
  bridge(streams, life);
}

/** Carries the streams itself, which is slower than what goes straight from the page to the worker. */
function bridge(streams: MessagePort, life: MessagePort): void {
  const say = (message: LifeMessage) => life.postMessage(message);
  try {
    const worker = chrome.runtime.connect({ name: bridgePort });
    life.onmessage = () => streams.close();
    life.addEventListener('close', () => worker.disconnect());
    say({ kind: 'open' });
    bridgePorts(streams, worker, () => say({ kind: 'lost' }));
  } catch {
    say({ kind: 'unable', reason: 'the extension was updated: load the page again' });
  }
}
