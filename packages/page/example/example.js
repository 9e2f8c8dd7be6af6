import { requestAccess, TCPSocket } from './manypath-page.js';

const find = id => document.getElementById(id);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const { port, service } = await (await fetch('settings.json')).json();
find('terminal').elements.port.value = port;
const host = () => find('terminal').elements.host.value;
const chosenPort = () => Number(find('terminal').elements.port.value);
find('state').textContent = `The service here: ${service} on port ${port}.`;

/** Does what a form or a button is for, and tells what went wrong. */
function on(id, event, tellTo, action) {
  find(id).addEventListener(event, async raised => {
    raised.preventDefault();
    try {
      await action(raised);
    } catch (error) {
      find(tellTo).textContent = `${error.name}: ${error.message}`;
    }
  });
}

// A terminal: what is typed goes out line by line, what comes is shown as it comes.
let writer;
let socket;
const show = text => {
  const screen = find('screen');
  screen.textContent = (screen.textContent + text).slice(-20_000);
  screen.scrollTop = screen.scrollHeight;
};
on('terminal', 'submit', 'info', async () => {
  socket = new TCPSocket(host(), chosenPort());
  const { readable, writable, remoteAddress, remotePort } = await socket.opened;
  writer = writable.getWriter();
  find('disconnect').disabled = false;
  show(`[connected to ${remoteAddress}, port ${remotePort}]\n`);
  const { route, multipath, subflows, reason } = await socket.info();
  find('info').textContent =
    `Route: ${route}, ${multipath ? `${subflows.length} subflows` : 'one path'}. ${reason}`;
  for await (const bytes of readable) show(decoder.decode(bytes, { stream: true }));
  show('[the other side has finished]\n');
});
on('line', 'submit', 'info', async ({ target }) => {
  const { text } = target.elements;
  await writer?.write(encoder.encode(`${text.value}\n`));
  text.value = '';
});
on('disconnect', 'click', 'info', async () => {
  find('disconnect').disabled = true;
  await writer?.close();
});

/** Bytes for those who have no file at hand. */
function madeUp(size) {
  let left = size;
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(crypto.getRandomValues(new Uint8Array(Math.min(65_536, left))));
      left -= Math.min(65_536, left);
      if (left === 0) controller.close();
    },
  });
}

/** Counts what passes, and mixes it into a sum that two runs can be compared by. */
function meter(onBytes) {
  const state = { bytes: 0, sum: 1 };
  const stream = new TransformStream({
    transform(chunk, controller) {
      for (const byte of chunk) state.sum = (Math.imul(state.sum, 31) + byte) | 0;
      state.bytes += chunk.length;
      onBytes(state.bytes);
      controller.enqueue(chunk);
    },
  });
  return { stream, state };
}

on('transfer', 'submit', 'result', async ({ target }) => {
  const [file] = target.elements.file.files;
  const size = file?.size ?? Number(target.elements.megabytes.value) * 1_000_000;
  const source = file?.stream() ?? madeUp(size);
  const began = performance.now();
  const { readable, writable } = await new TCPSocket(host(), chosenPort()).opened;
  const up = meter(bytes => {
    find('up').value = bytes / size;
  });
  const down = meter(bytes => {
    find('down').value = bytes / size;
  });
  await Promise.all([
    source.pipeThrough(up.stream).pipeTo(writable),
    readable.pipeThrough(down.stream).pipeTo(new WritableStream()),
  ]);
  const seconds = (performance.now() - began) / 1000;
  const same = up.state.sum === down.state.sum && up.state.bytes === down.state.bytes;
  find('result').textContent =
    `${(size / 1e6).toFixed(1)} MB each way in ${seconds.toFixed(1)} s; ` +
    (same ? 'every byte came back.' : 'other bytes came back.');
});

on('many', 'click', 'outcome', async () => {
  const target = [host(), chosenPort()];
  await requestAccess([{ host: target[0], port: target[1] }]);
  const ten = await Promise.all(Array.from({ length: 10 }, () => new TCPSocket(...target).opened));
  const one = await new TCPSocket(...target).opened;
  // Ten into one: each says its number, and all of that goes into the same stream.
  const into = one.writable.getWriter();
  await Promise.all(
    ten.map(async ({ readable, writable }, index) => {
      const line = writable.getWriter();
      await line.write(encoder.encode(`stream ${index}\n`));
      await line.close();
      for await (const bytes of readable) await into.write(bytes);
    }),
  );
  await into.close();
  // One into ten: what came back on it is sent to ten new ones.
  const again = await Promise.all(Array.from({ length: 10 }, () => new TCPSocket(...target).opened));
  const text = await new Response(one.readable).text();
  const answers = await Promise.all(
    again.map(async ({ readable, writable }) => {
      const out = writable.getWriter();
      await out.write(encoder.encode(text));
      await out.close();
      return new Response(readable).text();
    }),
  );
  const lines = text.trim().split('\n').length;
  const same = answers.filter(answer => answer.length === text.length).length;
  find('outcome').textContent = `Ten into one: ${lines} lines. One into ten: ${same} of 10 got all of it.`;
});
