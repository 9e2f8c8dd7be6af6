/** What is measured in a page; each function is sent there as text and can use nothing around it. */

/** Ways to open a stream, by their names. */
export type Way = 'stream' | 'websocket' | 'native';

/** What a page is to measure. */
export interface Task {
  readonly way: Way;
  /** Ports on 127.0.0.1: TCP, and of the site with the WebSocket. */
  readonly port: number;
  readonly sitePort: number;
  readonly measure: 'latency' | 'down' | 'up';
  readonly streams: number;
  /** Bytes of each stream, or round trips. */
  readonly amount: number;
}

/** @returns Milliseconds: of a round trip in the median, or of the whole transfer. */
export async function measureInPage(task: Task): Promise<number> {
  interface Ends {
    read(): Promise<Uint8Array | undefined>;
    write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
    close(): void;
  }

  /** Messages in the order they come, for whoever asks. */
  function inbox() {
    const waiting: (Uint8Array | undefined)[] = [];
    const readers: ((bytes: Uint8Array | undefined) => void)[] = [];
    return {
      put(bytes: Uint8Array | undefined) {
        const reader = readers.shift();
        if (reader) reader(bytes);
        else waiting.push(bytes);
      },
      take: () =>
        new Promise<Uint8Array | undefined>(resolve => {
          if (waiting.length > 0) resolve(waiting.shift());
          else readers.push(resolve);
        }),
    };
  }

  async function byStream(): Promise<Ends> {
    const { manypath } = window as unknown as {
      manypath: {
        TCPSocket: new (
          host: string,
          port: number,
        ) => {
          opened: Promise<{ readable: ReadableStream<Uint8Array>; writable: WritableStream<Uint8Array> }>;
        };
      };
    };
    const { readable, writable } = await new manypath.TCPSocket('127.0.0.1', task.port).opened;
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    return {
      read: async () => (await reader.read()).value,
      write: bytes => writer.write(bytes),
      close() {
        void writer.close().catch(() => {});
        void reader.cancel().catch(() => {});
      },
    };
  }

  async function byWebSocket(): Promise<Ends> {
    const socket = new WebSocket(`ws://127.0.0.1:${task.sitePort}/ws`);
    socket.binaryType = 'arraybuffer';
    const { put, take } = inbox();
    socket.onmessage = ({ data }) => put(new Uint8Array(data as ArrayBuffer));
    socket.onclose = () => put(undefined);
    await new Promise(resolve => {
      socket.onopen = resolve;
    });
    return {
      read: take,
      async write(bytes) {
        socket.send(bytes);
        while (socket.bufferedAmount > 4_194_304) await new Promise(resolve => setTimeout(resolve, 0));
      },
      close: () => socket.close(),
    };
  }

  async function byNative(): Promise<Ends> {
    interface Port {
      postMessage(message: object): void;
      disconnect(): void;
      onMessage: { addListener(listener: (message: { data: string }) => void): void };
    }
    const { chrome } = window as unknown as { chrome: { runtime: { connectNative(name: string): Port } } };
    const port = chrome.runtime.connectNative('org.manypath.bench');
    const { put, take } = inbox();
    port.onMessage.addListener(({ data }) =>
      put(Uint8Array.from(atob(data), letter => letter.charCodeAt(0))),
    );
    port.postMessage({ port: task.port });
    const text = (bytes: Uint8Array) => {
      let letters = '';
      for (let at = 0; at < bytes.length; at += 8192)
        letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
      return btoa(letters);
    };
    return {
      read: take,
      write: async bytes => port.postMessage({ data: text(bytes) }),
      close: () => port.disconnect(),
    };
  }

  const open = { stream: byStream, websocket: byWebSocket, native: byNative }[task.way];
  const chunk = new Uint8Array(65_536);

  async function latency(): Promise<number> {
    const ends = await open();
    const times: number[] = [];
    for (let round = 0; round < task.amount; round++) {
      const began = performance.now();
      await ends.write(new Uint8Array(1));
      await ends.read();
      times.push(performance.now() - began);
    }
    ends.close();
    return times.sort((one, other) => one - other)[task.amount >> 1] ?? Number.NaN;
  }

  async function transfer(ends: Ends): Promise<void> {
    let bytes = 0;
    if (task.measure === 'down') {
      await ends.write(new TextEncoder().encode(`${task.amount}\n`));
      while (bytes < task.amount) bytes += (await ends.read())?.length ?? Number.NaN;
    } else {
      // It all came back: an echo is what says so by any of the ways.
      const receive = async () => {
        while (bytes < task.amount) bytes += (await ends.read())?.length ?? Number.NaN;
      };
      const send = async () => {
        for (let sent = 0; sent < task.amount; sent += chunk.length) await ends.write(chunk);
      };
      await Promise.all([receive(), send()]);
    }
  }

  if (task.measure === 'latency') return latency();
  const all = await Promise.all(Array.from({ length: task.streams }, () => open()));
  const began = performance.now();
  await Promise.all(all.map(transfer));
  const took = performance.now() - began;
  for (const ends of all) ends.close();
  return took;
}
