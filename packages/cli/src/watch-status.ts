import { setTimeout as pause } from 'node:timers/promises';
import { errorCode, type StatusDocument } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { LiveScreen } from './terminal/live-screen.ts';
import { StatusHistory, type StatusView } from './terminal/status-history.ts';
import { watchText } from './terminal/watch-text.ts';

/** How often the live view is drawn, in milliseconds. */
const drawMs = 500;
/** How often a block or a line is printed where there is no terminal, in milliseconds. */
const printMs = 1000;

/**
 * Shows a gateway live, until the person leaves or `signal` is aborted. Waits for a gateway that ends meanwhile to come
 * back.
 *
 * @throws GatewayNotRunningError `MANYPATH_GATEWAY_NOT_RUNNING`, none runs at the beginning
 */
export async function watchOnScreen(stateDir: string, signal: AbortSignal): Promise<void> {
  const source = await StatusSource.open(stateDir);
  const leave = new AbortController();
  const ended = AbortSignal.any([signal, leave.signal]);
  const history = new StatusHistory();
  let view: StatusView | undefined;
  let note = '';
  const redraw = (): void => {
    if (view === undefined) return;
    const rows = screen.rows - 1;
    const lines = watchText(view, { columns: screen.columns, rows });
    while (lines.length < rows) lines.push('');
    screen.draw([...lines, (note || 'q leaves').slice(0, screen.columns)]);
  };
  const screen = new LiveScreen({
    input: process.stdin.isTTY ? process.stdin : undefined,
    output: process.stdout,
    onLeave: () => leave.abort(),
    onRedraw: redraw,
  });
  try {
    while (!ended.aborted) {
      const status = await source.tryNext();
      if (status !== undefined) view = history.add(status, performance.now());
      note = status === undefined ? 'The gateway has ended; waiting for it to come back. q leaves' : '';
      redraw();
      await pause(drawMs, undefined, { signal: ended }).catch(() => {});
    }
  } finally {
    screen.close();
    source.close();
  }
}

/**
 * Prints the status again and again, until `signal` is aborted: a block for people, or a document a line.
 *
 * @throws GatewayNotRunningError `MANYPATH_GATEWAY_NOT_RUNNING`, also when it ends meanwhile
 */
export async function watchInLines(stateDir: string, json: boolean, signal: AbortSignal): Promise<void> {
  const source = await StatusSource.open(stateDir);
  const history = new StatusHistory();
  try {
    while (!signal.aborted) {
      const status = await source.next();
      const view = history.add(status, performance.now());
      const text = json
        ? `${JSON.stringify(status)}\n`
        : `${watchText(view, { columns: 80, rows: undefined }).join('\n')}\n\n`;
      if (!process.stdout.write(text)) await drained(signal);
      await pause(printMs, undefined, { signal }).catch(() => {});
    }
  } finally {
    source.close();
  }
}

/** Status documents of the gateway with this state folder, and of the one that comes after it. */
class StatusSource {
  readonly #stateDir: string;
  #client: ControlClient | undefined;

  static async open(stateDir: string): Promise<StatusSource> {
    return new StatusSource(stateDir, await ControlClient.connect(stateDir));
  }

  private constructor(stateDir: string, client: ControlClient) {
    this.#stateDir = stateDir;
    this.#client = client;
  }

  async next(): Promise<StatusDocument> {
    this.#client ??= await ControlClient.connect(this.#stateDir);
    try {
      return await this.#client.status();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** `undefined` when no gateway runs. */
  async tryNext(): Promise<StatusDocument | undefined> {
    try {
      return await this.next();
    } catch (error) {
      if (errorCode(error) === 'MANYPATH_GATEWAY_NOT_RUNNING') return undefined;
      throw error;
    }
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }
}

function drained(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    process.stdout.once('drain', resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
