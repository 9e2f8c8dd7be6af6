/**
 * A wire between two interfaces of this network namespace that delays, varies and loses packets, for kernels without
 * netem. Started by the lab: `node wire-main.js NEAR FAR CONTROL_SOCKET OWNER_PID OWNER_START SETTING_JSON`.
 *
 * It says `ready` when it forwards. CONTROL_SOCKET takes a `WireCommand`.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { DelayLine, type WireSetting } from './delay-line.ts';
import { labLimits } from './limits.ts';
import { largestFrame, type PacketCalls, PacketSocket } from './packet-socket.ts';
import { isAlive } from './process-identity.ts';
import type { WireCommand } from './wire-command.ts';

/** An interface that a wire ends in. */
class WireEnd {
  /** Called when frames wait. */
  onReadable: () => void = () => {};
  readonly #device: string;
  #socket: PacketSocket | undefined;

  constructor(device: string) {
    this.#device = device;
  }

  /** Begins to receive, and does so afresh when it had begun before. */
  open(): void {
    this.#socket?.close();
    this.#socket = new PacketSocket(calls, interfaceIndex(this.#device));
    this.#socket.onReadable(() => this.onReadable());
  }

  /** As `PacketSocket.receive`. */
  receive(buffer: Uint8Array): number | undefined {
    return this.#socket?.receive(buffer);
  }

  /** As `PacketSocket.send`. */
  send(frame: Uint8Array): void {
    this.#socket?.send(frame);
  }
}

const [near = '', far = '', control = '', ownerPid = '', ownerStart = '', first = '{}'] =
  process.argv.slice(2);

const calls = await packetCalls();
const ends = [new WireEnd(near), new WireEnd(far)] as const;
const setting = JSON.parse(first) as WireSetting;
const lines = [carry(ends[0], ends[1], setting), carry(ends[1], ends[0], setting)];
serveControl(control, command => {
  for (const line of lines) line.setting = command;
  if (command.reopen === true) for (const end of ends) end.open();
});
if (ownerPid !== '0') endWith(Number(ownerPid), ownerStart);

async function packetCalls(): Promise<PacketCalls> {
  const kernel = new URL('./kernel/libc.js', import.meta.resolve('@manypath/mptcp')).href;
  const { libc } = (await import(kernel)) as { libc: () => PacketCalls };
  return libc();
}

function interfaceIndex(device: string): number {
  // `ip` remounts /sys for the namespace it enters.
  return Number(readFileSync(`/sys/class/net/${device}/ifindex`, 'utf8'));
}

/** Carries what one end receives to the other one. */
function carry(from: WireEnd, to: WireEnd, setting: WireSetting): DelayLine {
  const line = new DelayLine(setting, labLimits.delayQueuePackets);
  const buffer = Buffer.allocUnsafeSlow(largestFrame);
  let timer: NodeJS.Timeout | undefined;
  const release = () => {
    timer = undefined;
    // Timers have a grain of a millisecond: what is due within half of one goes now rather than late.
    const now = performance.now() + 0.5;
    for (let frame = line.take(now); frame !== undefined; frame = line.take(now)) to.send(frame);
    if (line.nextDue !== undefined) timer = setTimeout(release, Math.max(1, line.nextDue - now));
  };
  from.onReadable = () => {
    for (let length = from.receive(buffer); length !== undefined; length = from.receive(buffer)) {
      line.offer(Uint8Array.prototype.slice.call(buffer, 0, length), performance.now());
    }
    if (timer === undefined) release();
  };
  from.open();
  return line;
}

function serveControl(path: string, apply: (command: WireCommand) => void): void {
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (text: string) => {
      apply(JSON.parse(text) as WireCommand);
      socket.end('ok\n');
    });
  });
  server.listen(path, () => process.stdout.write('ready\n'));
}

/** A wire whose lab's owner crashed must not stay until somebody sweeps. */
function endWith(pid: number, startTime: string): void {
  setInterval(() => {
    if (!isAlive({ pid, startTime })) process.exit();
  }, 2000).unref();
}
