import { vi } from 'vitest';

type Listener<Value> = (value: Value) => void;

/** An event as Chromium's are. */
class ChromeEvent<Value> {
  readonly #listeners: Listener<Value>[] = [];
  addListener(listener: Listener<Value>): void {
    this.#listeners.push(listener);
  }
  fire(value: Value): void {
    for (const listener of this.#listeners) listener(value);
  }
}

/** The two ends of a port of an extension. */
export class ChromePort {
  readonly onMessage = new ChromeEvent<unknown>();
  readonly onDisconnect = new ChromeEvent<void>();
  readonly received: unknown[] = [];
  isConnected = true;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  postMessage(message: unknown): void {
    this.received.push(structuredClone(message));
  }
  disconnect(): void {
    this.isConnected = false;
  }
}

class StorageArea {
  readonly #values = new Map<string, unknown>();
  async get(key: string): Promise<Record<string, unknown>> {
    return this.#values.has(key) ? { [key]: structuredClone(this.#values.get(key)) } : {};
  }
  async set(values: Record<string, unknown>): Promise<void> {
    for (const [key, value] of Object.entries(values)) this.#values.set(key, structuredClone(value));
  }
}

/** Storage and windows of an extension, for what needs no browser. */
export function standInChrome() {
  const windows: string[] = [];
  const create = async ({ url }: { url: string }) => void windows.push(url);
  const storage = { local: new StorageArea(), session: new StorageArea() };
  vi.stubGlobal('chrome', { storage, windows: { create } });
  return { windows, storage };
}
