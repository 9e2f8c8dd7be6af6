import type * as net from 'node:net';
import { Lab, type LabOptions, patternBytes, TransferMeter, type TransferReport } from '@manypath/lab';
import { connect, createServer } from '@manypath/mptcp';
import { describe, onTestFinished } from 'vitest';

const required = (process.env.MANYPATH_REQUIRE ?? '').split(',').includes('lab');
const root = process.getuid?.() === 0;

/** Tests that need network namespaces: skipped without root, unless MANYPATH_REQUIRE says that they must run. */
export function describeLab(name: string, body: () => void): void {
  if (root || required) describe(name, body);
  else describe.skip(`${name} (skipped: network namespaces need root)`, body);
}

/** A lab that ends with the test. */
export async function labFor(options?: LabOptions): Promise<Lab> {
  const lab = await Lab.create(options);
  onTestFinished(() => lab.destroy());
  return lab;
}

/** A connection from the client. */
export async function reach(
  lab: Lab,
  options: {
    host?: string;
    port: number;
    localAddress?: string;
    device?: string;
    mptcp?: boolean;
    timeout?: number;
  },
): Promise<net.Socket> {
  const { host = lab.addresses.origin, mptcp = false, timeout = 5000, ...rest } = options;
  const socket = await lab.run('client', () => connect({ host, mptcp, timeout, ...rest }));
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** A server in `role` that sends back what it gets. Returns its port. */
export async function echoServer(
  lab: Lab,
  role: 'origin' | 'originMptcp' | 'relay' = 'origin',
): Promise<number> {
  return await serve(lab, role, socket => void socket.pipe(socket));
}

/** A server in `role` that sends the pattern without end. Returns its port. */
export async function sourceServer(lab: Lab, role: 'origin' | 'originMptcp' = 'origin'): Promise<number> {
  return await serve(lab, role, socket => {
    let offset = 0;
    const fill = () => {
      for (let more = true; more && !socket.destroyed; offset += 65_536) {
        more = socket.write(patternBytes(offset, 65_536));
      }
    };
    socket.on('drain', fill);
    fill();
  });
}

async function serve(
  lab: Lab,
  role: 'origin' | 'originMptcp' | 'relay',
  onConnection: (socket: net.Socket) => void,
): Promise<number> {
  const open = new Set<net.Socket>();
  const server = await lab.run(role, () =>
    createServer({ mptcp: role === 'originMptcp' }, socket => {
      open.add(socket);
      socket.on('error', () => {});
      onConnection(socket);
    }),
  );
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as net.AddressInfo).port;
}

/** Reads for `ms` after the first byte, and tells how it went. */
export async function measure(socket: net.Socket, ms: number): Promise<TransferReport> {
  const first = await new Promise<Buffer>(resolve => socket.once('data', resolve));
  const meter = new TransferMeter();
  meter.add(first.length);
  const count = (chunk: Buffer) => meter.add(chunk.length);
  socket.on('data', count);
  await new Promise(resolve => setTimeout(resolve, ms));
  socket.off('data', count);
  return meter.report();
}

/** Sends a byte on a connection to `echoServer` and says after how many ms it came back; `undefined` after `withinMs`. */
export async function roundTrip(socket: net.Socket, withinMs: number): Promise<number | undefined> {
  const start = performance.now();
  return await new Promise(resolve => {
    const done = (result: number | undefined) => {
      clearTimeout(timer);
      socket.off('data', onData);
      resolve(result);
    };
    const onData = () => done(performance.now() - start);
    const timer = setTimeout(() => done(undefined), withinMs);
    socket.on('data', onData);
    socket.write('x');
  });
}

/** Waits until `condition` holds. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 5000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}
