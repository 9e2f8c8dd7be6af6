/** With two ports of the page: for streams, and for news of their life. */
export interface PassMessage {
  readonly manypath: 'pass';
}

/** How long the frame may take to load, and to answer then, in milliseconds. */
const loadMs = 10_000;
const answerMs = 1000;

/** The extension's frame in a page, which is not seen there. Made when it is needed first, and again when the page took it out. */
export class DoorFrame {
  readonly #document: string;
  /** The browser lets no frame of it into this page. */
  #isBarred = false;
  #loaded: { readonly host: Element; readonly frame: Promise<Window | undefined> } | undefined;

  /** @param document How it names its page to the worker. */
  constructor(document: string) {
    this.#document = document;
  }

  /** Gives it ports of the page. @returns Whether it took them: some pages can have no frame. */
  async pass(streams: MessagePort, life: MessagePort): Promise<boolean> {
    if (this.#isBarred) return false;
    if (!this.#loaded?.host.isConnected) this.#loaded = this.#load();
    const frame = await this.#loaded.frame;
    frame?.postMessage({ manypath: 'pass' } satisfies PassMessage, ownOrigin(), [streams, life]);
    return frame !== undefined;
  }

  #load(): { host: Element; frame: Promise<Window | undefined> } {
    const host = document.createElement('div');
    host.style.display = 'none';
    host.setAttribute('aria-hidden', 'true');
    const element = document.createElement('iframe');
    element.tabIndex = -1;
    element.title = 'Manypath';
    element.src = `${chrome.runtime.getURL('streams-frame.html')}#${this.#document}`;
    const frame = new Promise<Window | undefined>(resolve => {
      const late = setTimeout(() => resolve(undefined), loadMs);
      element.addEventListener('load', async () => {
        const loaded = element.contentWindow;
        const isOurs = loaded !== null && (await answers(loaded));
        clearTimeout(late);
        resolve(isOurs ? loaded : undefined);
        if (isOurs) return;
        this.#isBarred = true;
        host.remove();
      });
    });
    host.attachShadow({ mode: 'closed' }).append(element);
    (document.body ?? document.documentElement).append(host);
    return { host, frame };
  }
}

/** Whether the frame is the extension's page, and not what the browser shows instead of it. */
function answers(frame: Window): Promise<boolean> {
  return new Promise(resolve => {
    const { port1, port2 } = new MessageChannel();
    const settle = (isOurs: boolean) => {
      clearTimeout(late);
      port1.close();
      resolve(isOurs);
    };
    const late = setTimeout(() => settle(false), answerMs);
    port1.onmessage = () => settle(true);
    frame.postMessage({ manypath: 'hello' }, ownOrigin(), [port2]);
  });
}

function ownOrigin(): string {
  return `chrome-extension://${chrome.runtime.id}`;
}
