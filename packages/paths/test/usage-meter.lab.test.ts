import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from '../../../test/support/requirements.ts';
import { type ClientRooms, inNamespaceOf } from './support/in-client.ts';

interface Script {
  host: string;
  path: string;
  method: 'GET' | 'POST';
  /** Bytes to send. */
  upload: number;
  file: string;
  mptcp: boolean;
}

/** Transfers over whatever the kernel joins, and tells what was counted of each path. */
async function transfer({ mptcp, paths }: ClientRooms, script: Script) {
  const quiet = { debug() {}, info() {}, warn() {} };
  const tiers = paths.Tiers.open({ file: script.file, logger: quiet });
  const set = await paths.PathSet.open({ stateDir: `${script.file}.d`, logger: quiet });
  tiers.usePaths(set.current());
  try {
    const socket = await mptcp.connect({
      host: script.host,
      port: 80,
      mptcp: script.mptcp,
      allowHalfOpen: true,
    });
    tiers.watch(socket);
    const head = `${script.method} ${script.path} HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n`;
    socket.write(`${head}Content-Length: ${script.upload}\r\n\r\n`);
    if (script.upload > 0) socket.write(Buffer.alloc(script.upload));
    let received = 0;
    socket.on('data', data => {
      received += data.length;
    });
    await new Promise((resolve, reject) => socket.once('end', resolve).once('error', reject));
    const { subflowCount } = mptcp.info(socket);
    socket.destroy();
    await new Promise(resolve => socket.once('close', resolve));
    const counted = set.current().map(({ name }) => tiers.usageOf(name).todayBytes);
    return { received, subflowCount, counted };
  } finally {
    await set.close();
    tiers.close();
  }
}

const why = whyNoLab();
describe.skipIf(why)(`what is counted of each path${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let run = 0;
  const folder = mkdtempSync(join(tmpdir(), 'manypath-meter-'));
  beforeAll(async () => {
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit: 40, delayMs: 5 },
        { name: 'b', rateMbit: 20, delayMs: 15 },
      ],
    });
    await Promise.all([lab.startOrigin('origin'), lab.startOrigin('originMptcp')]);
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await lab.destroy();
  });

  const crossed = () =>
    lab.links.map(({ name }) => lab.counters(name)).map(link => link.fromClient + link.toClient);
  const bytes = 12_000_000;
  const transfers = [
    ['a download', { path: `/bytes/${bytes}`, method: 'GET', upload: 0, mptcp: true }],
    ['an upload', { path: '/upload', method: 'POST', upload: bytes, mptcp: true }],
    ['a download by plain TCP', { path: `/bytes/${bytes}`, method: 'GET', upload: 0, mptcp: false }],
  ] as const;

  for (const [name, script] of transfers) {
    it(`is what crossed the links and little more, for ${name}`, async () => {
      const before = crossed();
      const { counted, subflowCount } = await inNamespaceOf(lab, transfer, {
        ...script,
        host: script.mptcp ? lab.addresses.originMptcp : lab.addresses.origin,
        file: join(folder, `${run++}.json`),
      });
      const links = crossed().map((now, index) => now - (before[index] ?? 0));
      const of = counted.map((count, index) => Math.round((1000 * count) / (links[index] ?? 0)) / 1000);
      expect(subflowCount).toBe(script.mptcp ? 2 : 1);
      for (const [index, link] of links.entries()) {
        if (link < 100_000) continue;
        expect(of[index]).toBeGreaterThan(0.99);
        expect(of[index]).toBeLessThan(1.08);
      }
    });
  }
});
