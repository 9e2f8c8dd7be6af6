import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from '../../../test/support/requirements.ts';
import { type ClientRooms, inNamespaceOf } from './support/in-client.ts';

/** A name server as a process: knows one address, and tells whom it serves by it. */
const serverScript = (address: string) => `
  import { createSocket } from 'node:dgram';
  import { parseDnsQuery, encodeDnsResponse, parseIpAddress } from '@manypath/core';
  const known = parseIpAddress('${address}');
  const socket = createSocket({ type: 'udp6', ipv6Only: false });
  socket.on('message', (message, from) => {
    const query = parseDnsQuery(message);
    const addresses = query.type === 1 ? [known.bytes] : [];
    socket.send(encodeDnsResponse(query, { code: 0, addresses, ttlSeconds: 1 }), from.port, from.address);
  });
  socket.bind(53, '::', () => console.log('ready'));`;

interface Question {
  folder: string;
  names: string[];
  /** Whether the system's resolver gives no answer. */
  systemIsSilent?: boolean;
}

interface Looked {
  addresses: string[];
  tookMs: number;
}

async function lookUp(rooms: ClientRooms, { folder, names, systemIsSilent }: Question) {
  const { paths, outlooks, routes } = rooms;
  const told: string[] = [];
  const resolver = new paths.PathResolver({
    outlooks,
    remembered: new paths.WinnerMemory(),
    askRoute: (address, question) => routes.routeTo(address, question),
    onOutcome: (name, outcome) => told.push(`${name} ${outcome}`),
    places: {
      resolvConf: `${folder}/resolv.conf`,
      hosts: `${folder}/hosts`,
      ofInterface: index => [`${folder}/netif-${index}`],
    },
    systemLookup: async () => {
      if (systemIsSilent) await new Promise(resolve => setTimeout(resolve, 10_000));
      return [{ address: '203.0.113.53', family: 4 }];
    },
  });
  const looked: Looked[] = [];
  const { signal } = new AbortController();
  for (const name of names) {
    const began = performance.now();
    const found = await resolver.lookup(name, { family: 0, signal });
    looked.push({ addresses: found.map(({ address }) => address), tookMs: performance.now() - began });
  }
  return { looked, told };
}

/** Half of what the system's resolver waits for one server; the other path is asked after a tenth of that. */
const patienceMs = 2500;

const why = whyNoLab();
describe.skipIf(why)(`names over paths${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let first: string;
  let second: string;
  const folder = mkdtempSync(join(tmpdir(), 'manypath-names-'));

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    lab = await Lab.create();
    [first = '', second = ''] = lab.links.map(({ device }) => device);
    await Promise.all([
      serveNames(lab, 'origin', '192.0.2.1'),
      serveNames(lab, 'relay', '192.0.2.2'),
      serveNames(lab, 'router', '192.0.2.3'),
    ]);
    writeFileSync(join(folder, 'hosts'), '127.0.0.1 localhost\n192.0.2.99 printer.example\n');
  });
  afterAll(async () => {
    await lab.destroy();
    rmSync(folder, { recursive: true });
  });

  function settings(resolvConf: string, ofInterface: Record<string, string> = {}): void {
    writeFileSync(join(folder, 'resolv.conf'), resolvConf);
    for (const device of [first, second]) {
      const { index } = JSON.parse(
        execFileSync('ip', ['netns', 'exec', lab.namespaces.client, 'ip', '-j', 'link', 'show', device], {
          encoding: 'utf8',
        }).replace(/"ifindex"/, '"index"'),
      )[0] as { index: number };
      writeFileSync(join(folder, `netif-${index}`), ofInterface[device] ?? '');
    }
  }

  async function whileSilent(work: () => Promise<void>): Promise<void> {
    const [link] = lab.links;
    await lab.cut(link?.name ?? '', 'blackhole');
    try {
      await work();
    } finally {
      await lab.heal(link?.name ?? '');
    }
  }

  for (const uid of [undefined, 65_534]) {
    const options = uid === undefined ? {} : { uid };
    describe(uid === undefined ? 'as root' : 'as a user without privileges', () => {
      it('are asked of the general servers over the first path', async () => {
        settings(`nameserver ${lab.addresses.origin}\nsearch corp.example\n`);
        const names = ['www.example.org', 'printer.example', 'wiki.corp.example', 'nas', 'a.local'];
        const { looked, told } = await inNamespaceOf(lab, lookUp, { folder, names }, options);
        // What means something here only is the system's to know.
        expect(looked.map(({ addresses }) => addresses)).toEqual([
          ['192.0.2.1'],
          // Of the hosts file.
          ['192.0.2.99'],
          ...names.slice(2).map(() => ['203.0.113.53']),
        ]);
        expect(told).toEqual([`${first} answered`]);
      });

      it('are asked over the second path when the first is silent, and there at once the next time', async () => {
        settings(`nameserver ${lab.addresses.origin}\n`);
        await whileSilent(async () => {
          const names = ['a.example.org', 'b.example.org'];
          const { looked, told } = await inNamespaceOf(lab, lookUp, { folder, names }, options);
          expect(looked.map(({ addresses }) => addresses)).toEqual([['192.0.2.1'], ['192.0.2.1']]);
          expect(looked[0]?.tookMs).toBeLessThan(patienceMs);
          // The second is asked first, and answers before the other would be.
          expect(told).toEqual([`${second} answered`, `${first} silent`, `${second} answered`]);
        });
      });

      it('are asked of the servers of each path, where those are known', async () => {
        settings(`nameserver 127.0.0.53\n`, {
          [first]: `SERVERS=${lab.addresses.origin}\n`,
          [second]: `SERVERS=${lab.addresses.relay}#dns.example ${lab.addresses.origin}:53\n`,
        });
        const question = { folder, names: ['a.example.org'] };
        // The system's resolver asks them itself, and answers as long as it can.
        const { looked: before } = await inNamespaceOf(lab, lookUp, question, options);
        expect(before[0]?.addresses).toEqual(['203.0.113.53']);
        await whileSilent(async () => {
          const asked = { ...question, systemIsSilent: true };
          const { looked, told } = await inNamespaceOf(lab, lookUp, asked, options);
          expect(looked[0]?.addresses).toEqual(['192.0.2.2']);
          expect(looked[0]?.tookMs).toBeLessThan(patienceMs);
          expect(told).toEqual([`${second} answered`, `${first} silent`]);
        });
      });

      it('are asked of the router of a path that nothing else is known of', async () => {
        // The only server that is known is the router of the first path's network.
        settings(`nameserver ${lab.addresses.gatewayA}\n`);
        await whileSilent(async () => {
          const question = { folder, names: ['a.example.org'] };
          const { looked } = await inNamespaceOf(lab, lookUp, question, options);
          expect(looked[0]?.addresses).toEqual(['192.0.2.3']);
          expect(looked[0]?.tookMs).toBeLessThan(patienceMs);
        });
      });
    });
  }
});

async function serveNames(
  lab: Lab,
  role: 'origin' | 'relay' | 'router',
  address: string,
): Promise<ChildProcess> {
  const child = lab.spawn(role, [process.execPath, '--input-type=module', '--eval', serverScript(address)], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}
