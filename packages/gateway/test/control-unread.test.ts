import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type ControlMethods, ControlServer } from '../src/control/control-server.ts';
import { gatewayLimits } from '../src/limits.ts';

it('closes a client of the control socket that does not read what it asked to be told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-control-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const listeners = new Set<(event: object) => void>();
  const methods = {
    answers: {} as ControlMethods['answers'],
    subscribe(listener: (event: object) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const server = await ControlServer.open(folder, methods, { ...gatewayLimits, controlUnreadBytes: 100_000 });
  onTestFinished(() => server.close());
  const client = connect(join(folder, 'control.sock'));
  onTestFinished(() => void client.destroy());
  await once(client, 'connect');
  client.write('{"id":1,"method":"subscribe"}\n');
  await expect.poll(() => listeners.size).toBe(1);
  // More than the kernel keeps for a socket, so that the rest has to wait here.
  for (let at = 0; at < 3; at++) for (const tell of listeners) tell({ event: 'x'.repeat(400_000) });
  await expect.poll(() => listeners.size).toBe(0);
});
