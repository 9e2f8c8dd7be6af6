import { existsSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ControlClient } from '../src/control/control-client.ts';
import { ControlServer } from '../src/control/control-server.ts';
import { StandingControl } from '../src/control/standing-control.ts';
import { gatewayLimits } from '../src/limits.ts';

let folder: string;
let stateDir: string;
let clock: SimulatedClock;
let said: string[];
const open: StandingControl[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-control-'));
  stateDir = join(folder, 'state');
  clock = new SimulatedClock();
  said = [];
});
afterEach(async () => {
  for (const control of open.splice(0)) await control.close();
  rmSync(folder, { recursive: true });
});

const answers = new Proxy({}, { has: () => true }) as never;
const methods = { answers, subscribe: () => () => {} };

async function start(): Promise<StandingControl> {
  const note = (_: object, message: string) => void said.push(message);
  const logger = { debug() {}, info: note, warn: note };
  const control = await StandingControl.open({ stateDir, methods, limits: gatewayLimits, logger, clock });
  open.push(control);
  return control;
}

/** Lets the clock go on until the socket is there. */
const back = () =>
  vi.waitFor(async () => {
    clock.advance(gatewayLimits.controlCheckMs);
    expect(await ControlServer.isRunning(stateDir)).toBe(true);
  });

describe('the control socket', () => {
  for (const [what, spoil] of [
    ['its file is removed', () => unlinkSync(join(stateDir, 'control.sock'))],
    ['its folder is removed', () => rmSync(stateDir, { recursive: true })],
    ['its folder is moved away', () => renameSync(stateDir, join(folder, 'elsewhere'))],
  ] as const) {
    it(`is there again after ${what}`, async () => {
      await start();
      spoil();
      expect(await ControlServer.isRunning(stateDir)).toBe(false);
      await back();
      (await ControlClient.connect(stateDir)).close();
    });
  }

  it('is made as soon as the folder can be, which is said once', async () => {
    stateDir = join(folder, 'blocked', 'state');
    // What is below a link that leads nowhere cannot be made.
    symlinkSync(join(folder, 'nowhere', 'x'), join(folder, 'blocked'));
    await start();
    expect(said).toHaveLength(1);
    for (const _ of [1, 2, 3]) {
      clock.advance(gatewayLimits.controlCheckMs);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(said).toHaveLength(1);
    unlinkSync(join(folder, 'blocked'));
    await back();
    expect(said).toHaveLength(2);
  });

  it('is refused where a file is in place of the folder', async () => {
    writeFileSync(stateDir, '');
    await expect(start()).rejects.toMatchObject({ code: 'MANYPATH_CONTROL_SOCKET' });
  });

  it('is not taken from another gateway', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'MANYPATH_GATEWAY_RUNNING' });
  });

  it('goes when it is closed', async () => {
    const control = await start();
    await control.close();
    expect(existsSync(join(stateDir, 'control.sock'))).toBe(false);
    expect(clock.pending).toBe(0);
  });
});
