import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parsePairing } from '@manypath/core';
import { Lab, type Role } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningManypath, temporaryFolder } from './support/manypath.ts';
import { startLabRelay } from './support/relay.ts';
import { whyNoLab } from './support/requirements.ts';

/** Opens connections one after the other, keeps as many as it is allowed to, and says how many there were so far. */
const flood = `
  const net = require('node:net'), tls = require('node:tls');
  const [host, port, localAddress, kind] = process.argv.slice(1);
  let opened = 0, open = 0;
  const next = () => {
    while (open < 4000) {
      open += 1;
      const socket = net.connect({ host, port, localAddress });
      socket.on('error', () => {});
      socket.once('close', () => { open -= 1; setImmediate(next); });
      socket.once('connect', () => {
        opened += 1;
        if (kind === 'tls') tls.connect({ socket, rejectUnauthorized: false }).on('error', () => {});
        if (kind === 'half') socket.write(Buffer.from('16030102000100', 'hex'));
      });
    }
  };
  setInterval(() => console.log(opened), 100);
  next();
`;

const skipped = whyNoLab();

describe.skipIf(skipped)(`strangers at the relay${skipped ? ` (skipped: ${skipped})` : ''}`, () => {
  let lab: Lab;
  let relay: RunningManypath;
  const state = temporaryFolder();
  const floods: ChildProcess[] = [];
  beforeAll(async () => {
    lab = await Lab.create({ links: [{ name: 'a' }, { name: 'b' }] });
    await lab.startOrigin('origin');
    relay = await startLabRelay(lab, state.path);
  });
  afterAll(async () => {
    for (const child of floods) child.kill('SIGKILL');
    await relay.stop();
    await lab.destroy();
    state[Symbol.dispose]();
  });

  /** @returns How many connections it has made so far. */
  function startFlood(role: Role, localAddress: string, kind: string): () => number {
    const child = lab.spawn(role, [
      process.execPath,
      '-e',
      flood,
      lab.addresses.relay,
      '8443',
      localAddress,
      kind,
    ]);
    floods.push(child);
    let opened = 0;
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).on('line', line => {
        opened = Number(line);
      });
    }
    return () => opened;
  }

  /** A request of a user through the relay, with the secret in a file. @returns The status of the answer. */
  async function ask(role: Role): Promise<string> {
    const { secret } = parsePairing(String(relay.ready.pairing));
    const result = await lab.exec(
      role,
      [
        ...['curl', '--silent', '--config', '-', '--max-time', '20', '--output', '/dev/null'],
        ...['--proxy', `https://${lab.addresses.relay}:8443`],
        ...['--proxy-cacert', join(state.path, 'relay', 'relay', 'cert.pem')],
        ...['--write-out', '%{http_code}', `http://${lab.addresses.origin}/bytes/1000`],
      ],
      { input: `proxy-user = "manypath:${secret}"\n`, allowFailure: true },
    );
    return result.stdout;
  }

  function residentMegabytes(): number {
    const status = readFileSync(`/proc/${relay.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  }

  it('do not keep users out, nor fill its memory, from three addresses with thousands of connections', async () => {
    expect(await ask('client')).toBe('200');
    const before = residentMegabytes();
    const { clientA, clientB } = lab.addresses;
    const opened = [
      startFlood('client', clientA, 'silent'),
      startFlood('client', clientB, 'half'),
      startFlood('origin', lab.addresses.origin, 'tls'),
    ];
    const sum = () => opened.reduce((total, count) => total + count(), 0);
    await expect.poll(sum, { timeout: 60_000 }).toBeGreaterThan(3000);
    // From an address that none of them has, and from one that holds as many connections as it can.
    for (let time = 0; time < 3; time++) expect(await ask('originMptcp')).toBe('200');
    expect(await ask('client')).toBe('200');
    await expect.poll(sum, { timeout: 60_000 }).toBeGreaterThan(12_000);
    const late = residentMegabytes();
    expect(await ask('originMptcp')).toBe('200');
    // What 1000 of them take at most; 10 000 would be 600.
    expect(late - before).toBeLessThan(200);
    // A line when it began, and one a minute from then on.
    expect(relay.log().split('to make room').length - 1).toBeLessThanOrEqual(3);
  });
});
