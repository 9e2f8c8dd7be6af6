import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Lab } from '@manypath/lab';

const main = fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url));

/** A relay that runs. */
export interface StartedRelay {
  readonly process: ChildProcess;
  /** Its pairing URL. */
  readonly pairing: string;
}

/** Starts a relay in its namespace, as people do. */
export async function startRelay(lab: Lab, state: string): Promise<StartedRelay> {
  const relayArguments = ['relay', '--json', '--listen', '0.0.0.0:8443', '--public', lab.addresses.relay];
  const relay = lab.spawn(
    'relay',
    [process.execPath, main, ...relayArguments, '--allow-private', '--state', state],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const { pairing } = await readyEvent(relay);
  return { process: relay, pairing: String(pairing) };
}

/** A gateway to start. */
export interface UpOptions {
  readonly state: string;
  readonly port: number;
  /** Of its relay; without one, everything goes straight. */
  readonly pairing?: string;
  /** More of its options. */
  readonly more?: readonly string[];
}

/** Starts a gateway in the client's namespace, and waits until it listens. @returns Its process. */
export async function startUp(
  lab: Lab,
  { state, port, pairing, more = [] }: UpOptions,
): Promise<ChildProcess> {
  const relay = pairing === undefined ? ['--no-relay'] : [];
  const upArguments = ['up', '--json', '--listen', `127.0.0.1:${port}`, ...relay, ...more];
  const up = lab.spawn('client', [process.execPath, main, ...upArguments, '--state', state], {
    env: pairing === undefined ? {} : { MANYPATH_RELAY: pairing },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await readyEvent(up);
  return up;
}

async function readyEvent({ stdout }: ChildProcess): Promise<Record<string, unknown>> {
  if (stdout === null) throw new Error('the program has no standard output');
  for await (const line of createInterface({ input: stdout })) {
    const event = JSON.parse(line) as Record<string, unknown>;
    if (event.event === 'ready') return event;
  }
  throw new Error('the program ended before it was ready');
}

/** Starts `manypath serve-echo` on the origin: its site has a WebSocket that sends back what it gets. */
export async function startServeEcho(lab: Lab, sitePort: number): Promise<void> {
  const places = ['--listen', '0.0.0.0:7007', '--page', `0.0.0.0:${sitePort}`];
  const argv = [process.execPath, main, 'serve-echo', '--json', ...places];
  await readyEvent(lab.spawn('origin', argv, { stdio: ['ignore', 'pipe', 'ignore'] }));
}
