import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { Gateway, type GatewayOptions } from '../../src/index.ts';

type Undo = () => void | Promise<void>;

const undos: Undo[] = [];

/** Has `undo` called after the test that runs now, the last first. */
export function afterThisTest(undo: Undo): void {
  undos.push(undo);
}

afterEach(async () => {
  for (const undo of undos.splice(0).reverse()) await undo();
});

/** An empty folder for the test that runs now. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-gateway-'));
  afterThisTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A gateway on a free port, for the test that runs now. */
export async function startGateway(options: Partial<GatewayOptions> = {}): Promise<Gateway> {
  const gateway = await Gateway.start({
    listen: { host: '127.0.0.1', port: 0 },
    stateDir: options.stateDir ?? temporaryFolder(),
    ...options,
  });
  afterThisTest(() => gateway.close());
  return gateway;
}

/** Waits until `condition` holds; the test's own time-out ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5));
}
