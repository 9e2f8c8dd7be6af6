import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Authority } from '@manypath/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dial, someOf, tunnelTo } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { startGateway, until } from './support/scope.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;

/** Opens connections that send nothing, and says how many were opened and how many of them are open. */
const flood = `
  const net = require('node:net');
  const [host, port, most] = process.argv.slice(1);
  let opened = 0, open = 0;
  const next = () => {
    for (; open < 500 && opened < Number(most); ) {
      open += 1;
      opened += 1;
      const socket = net.connect({ host, port });
      socket.on('error', () => {}).once('close', () => { open -= 1; setImmediate(next); });
    }
  };
  setInterval(() => console.log(JSON.stringify({ opened, open })), 20);
  next();
`;

interface Flood {
  readonly child: ChildProcess;
  count(): { opened: number; open: number };
}

function startFlood({ host, port }: Authority, most: number): Flood {
  const child = spawn(process.execPath, ['-e', flood, host, String(port), String(most)], {
    uid: nobody,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let latest = { opened: 0, open: 0 };
  createInterface({ input: child.stdout }).on('line', line => {
    latest = JSON.parse(line);
  });
  return { child, count: () => latest };
}

describe.skipIf(!isRoot)('connections of another user (needs root, to be another user)', () => {
  for (const which of ['proxy', 'straightProxy'] as const) {
    it(`are closed at once and take nothing from the owner's, at the ${which}`, {
      timeout: 60_000,
    }, async () => {
      const gateway = await startGateway({ straightPort: true, limits: { connections: 20 } });
      const origin = await echoOrigin();
      const mine = await tunnelTo(gateway[which], origin);
      const other = startFlood(gateway[which], 10_000);
      await until(() => other.count().opened > 2000);
      for (let time = 0; time < 10; time++) {
        const socket = await tunnelTo(gateway[which], origin);
        socket.destroy();
      }
      await until(() => other.count().opened === 10_000);
      await until(() => other.count().open === 0);
      mine.write('still here');
      expect(String(await someOf(mine, 10))).toBe('still here');
      expect(gateway.status().totals.opened).toBe(11);
    });
  }

  it('are closed though they send nothing, and are told why when they ask', async () => {
    const gateway = await startGateway({ limits: { foreignTurnedAway: 2 } });
    const silent = startFlood(gateway.proxy, 2);
    await until(() => silent.count().opened === 2 && silent.count().open === 0);
    await dial(gateway.proxy);
    expect(gateway.status().totals.opened).toBe(0);
  });
});
