import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pairing, parsePairing } from '@manypath/core';
import { onTestFinished } from 'vitest';
import { type Relay, type RelayOptions, startRelay } from '../../src/index.ts';

/** A folder that is removed when the test has ended. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-relay-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestRelay {
  readonly relay: Relay;
  readonly pairing: Pairing;
  readonly stateDir: string;
}

/** A relay on loopback that dials loopback, unless told otherwise; it is closed when the test has ended. */
export async function testRelay(options: Partial<RelayOptions> = {}): Promise<TestRelay> {
  const stateDir = options.stateDir ?? temporaryFolder();
  const relay = await startRelay({
    listen: { host: '127.0.0.1', port: 0 },
    allowPrivate: true,
    ...options,
    stateDir,
  });
  onTestFinished(() => relay.close(0));
  return { relay, pairing: parsePairing(relay.pairing), stateDir };
}
