import type { ChildProcess } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { ManypathError } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { Lab } from '@manypath/lab';
import type { LogLevel } from '../terminal/log.ts';
import { CdpPipe, openPage } from './cdp-pipe.ts';

/** A part of the demo did not start. */
export class DemoPartError extends ManypathError {
  constructor(part: string, log: string) {
    super('MANYPATH_DEMO_PART_FAILED', `the ${part} of the demo did not start:\n${log.trim()}`, {
      hint: 'run it again with --log-level debug; the last lines above say what is missing',
    });
  }
}

/** The two links of the demo's laptop, by the names of their interfaces. */
export const demoLinks = ['wifi', 'mobile'] as const;
export type DemoLink = (typeof demoLinks)[number];

/** What the demo plays on: lab, relay, origin and browser, all real and all running. */
export interface Stage extends AsyncDisposable {
  readonly lab: Lab;
  /** Runs a script in a page of the origin and waits for what it gives. */
  readonly evaluate: (script: string) => Promise<unknown>;
  /** Asks the browser's gateway. */
  readonly control: ControlClient;
}

/** The running command line, as this process was started. */
const manypath = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];

/** What {@link setStage} builds. */
export interface StageOptions {
  /** Of each link, in Mbit/s. */
  readonly rateMbit: number;
  /** What relay and browser log; at `debug` that is shown on stderr. */
  readonly logLevel: LogLevel;
  /** Called with what is about to happen. */
  readonly say: (text: string) => void;
  /** Takes all of it down again, as soon as the step that is under way is over. */
  readonly signal: AbortSignal;
}

/**
 * Builds the lab and starts relay, origin and browser in it.
 *
 * @throws DemoPartError `MANYPATH_DEMO_PART_FAILED`
 */
export async function setStage({ rateMbit, logLevel, say, signal }: StageOptions): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-demo-'));
  const undo: (() => void | Promise<void>)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const takeDown = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= takeDown());
  try {
    say(`building a laptop with two links of ${rateMbit} Mbit/s each, a relay and an ordinary web server`);
    const lab = await Lab.create({ links: demoLinks.map(name => ({ name, rateMbit })) });
    undo.push(() => lab.destroy());
    signal.throwIfAborted();
    const { certificate } = await lab.startOrigin('origin');
    const pairing = await startRelay(lab, join(folder, 'relay'), logLevel);
    signal.throwIfAborted();
    say('opening a real Chromium on the laptop');
    const state = join(folder, 'laptop');
    const browser = startBrowser(lab, pairing, certificate, { state, logLevel });
    // Also while it starts: it has things of its own to clear away.
    undo.push(() => stopBrowser(browser));
    await readyEvent(browser, 'browser', logLevel);
    signal.throwIfAborted();
    const pipe = new CdpPipe(browser.stdio[3] as Writable, browser.stdio[4] as Readable);
    const evaluate = await openPage(pipe, 'https://origin.lab/');
    const control = await ControlClient.connect(state);
    undo.push(() => control.close());
    signal.throwIfAborted();
    return { lab, evaluate, control, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startRelay(lab: Lab, state: string, logLevel: LogLevel): Promise<string> {
  const address = lab.addresses.relay;
  const parameters = ['relay', '--json', '--listen', '0.0.0.0:8443', '--public', address, '--allow-private'];
  const child = lab.spawn('relay', [...manypath, ...parameters, '--state', state, '--log-level', logLevel], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return String((await readyEvent(child, 'relay', logLevel)).pairing);
}

function startBrowser(
  lab: Lab,
  pairing: string,
  certificate: string,
  { state, logLevel }: { readonly state: string; readonly logLevel: LogLevel },
): ChildProcess {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  const browserArguments = [
    '--remote-debugging-pipe',
    `--ignore-certificate-errors-spki-list=${createHash('sha256').update(spki).digest('base64')}`,
    // There is nothing but the lab: without these Chromium calls home and waits.
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-gpu',
  ];
  const options = ['--json', '--headless', '--state', state, '--log-level', logLevel];
  return lab.spawn('client', [...manypath, 'browse', ...options, '--', ...browserArguments], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    // Not on its command line, which everybody on this machine can read.
    env: { MANYPATH_RELAY: pairing },
  });
}

/** Waits for `{"event":"ready"}` on stdout. */
async function readyEvent(
  child: ChildProcess,
  part: string,
  logLevel: LogLevel,
): Promise<Record<string, unknown>> {
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4000);
    if (logLevel === 'debug') process.stderr.write(text);
  });
  if (child.stdout === null) throw new DemoPartError(part, 'its output is not piped');
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    const event = JSON.parse(line) as Record<string, unknown>;
    if (event.event !== 'ready') continue;
    lines.close();
    child.stdout.resume();
    return event;
  }
  throw new DemoPartError(part, log);
}

function stopBrowser(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise(resolve => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
