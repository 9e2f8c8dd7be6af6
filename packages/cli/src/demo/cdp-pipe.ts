import type { Readable, Writable } from 'node:stream';
import { ManypathError } from '@manypath/core';

/** The browser refused a command, or went away while one waited. */
export class BrowserCommandError extends ManypathError {
  constructor(method: string, reason: string) {
    super('MANYPATH_BROWSER_COMMAND_FAILED', `the browser did not carry out ${method}: ${reason}`);
  }
}

interface Reply {
  id?: number;
  result?: Record<string, unknown>;
  error?: { message: string };
  method?: string;
  params?: Record<string, unknown>;
  sessionId?: string;
}

interface Waiting {
  method: string;
  resolve: (result: Record<string, unknown>) => void;
  reject: (error: Error) => void;
}

/**
 * Talks the Chrome DevTools Protocol over the pipes of `--remote-debugging-pipe`: JSON messages that end in a
 * zero byte, commands on file descriptor 3 and answers on 4.
 *
 * Just enough to open a page and run a script in it.
 */
export class CdpPipe {
  readonly #commands: Writable;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(method: string, params: Record<string, unknown>) => void>();
  #lastId = 0;
  #unread = '';

  constructor(commands: Writable, answers: Readable) {
    this.#commands = commands;
    answers.setEncoding('utf8');
    answers.on('data', (text: string) => this.#read(text));
    answers.once('close', () => this.#fail('it is gone'));
    commands.on('error', () => this.#fail('it is gone'));
  }

  /** @throws BrowserCommandError `MANYPATH_BROWSER_COMMAND_FAILED` */
  send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { method, resolve, reject });
      this.#commands.write(
        `${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`,
      );
    });
  }

  /** Calls `listener` for every event. @returns What ends that. */
  onEvent(listener: (method: string, params: Record<string, unknown>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #read(text: string): void {
    const messages = (this.#unread + text).split('\0');
    this.#unread = messages.pop() ?? '';
    for (const message of messages) this.#handle(JSON.parse(message) as Reply);
  }

  #handle(reply: Reply): void {
    if (reply.id === undefined) {
      for (const listener of this.#listeners) listener(reply.method ?? '', reply.params ?? {});
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (reply.error) waiting?.reject(new BrowserCommandError(waiting.method, reply.error.message));
    else waiting?.resolve(reply.result ?? {});
  }

  #fail(reason: string): void {
    for (const { method, reject } of this.#waiting.values()) reject(new BrowserCommandError(method, reason));
    this.#waiting.clear();
  }
}

/** Opens a page and returns what runs a script in it, waiting for the promise that the script gives. */
export async function openPage(browser: CdpPipe, url: string): Promise<(script: string) => Promise<unknown>> {
  const { targetId } = await browser.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await browser.send('Target.attachToTarget', { targetId, flatten: true });
  const session = String(sessionId);
  await browser.send('Page.enable', {}, session);
  const loaded = new Promise<void>(resolve => {
    const stop = browser.onEvent(method => {
      if (method !== 'Page.loadEventFired') return;
      stop();
      resolve();
    });
  });
  const { errorText } = await browser.send('Page.navigate', { url }, session);
  if (typeof errorText === 'string') throw new BrowserCommandError(`opening ${url}`, errorText);
  await loaded;
  return async expression => {
    const parameters = { expression, awaitPromise: true, returnByValue: true };
    const reply = await browser.send('Runtime.evaluate', parameters, session);
    const details = reply.exceptionDetails as
      | { exception?: { description?: string }; text: string }
      | undefined;
    if (details) throw new BrowserCommandError('a script', details.exception?.description ?? details.text);
    return (reply.result as { value?: unknown }).value;
  };
}
