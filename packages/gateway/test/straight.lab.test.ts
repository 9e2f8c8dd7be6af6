import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startManypath } from '../../../test/support/manypath.ts';
import { whyNoLab } from '../../../test/support/requirements.ts';

interface Fetched {
  code: number;
  /** Until the proxy said that the connection is there, in milliseconds. */
  connectedMs: number;
  body: string;
}

const why = whyNoLab();
describe.skipIf(why)(`straight connections through the gateway${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.create();
    await Promise.all([lab.startOrigin('origin'), lab.startOrigin('originMptcp')]);
  });
  afterAll(() => lab.destroy());

  /** A gateway in the client's namespace, and curl beside it. */
  async function gateway({ asUser = false, more = [] }: { asUser?: boolean; more?: string[] } = {}) {
    const state = mkdtempSync(join(tmpdir(), 'manypath-straight-'));
    const user = asUser
      ? ['env', `HOME=${state}`, 'setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
      : [];
    if (asUser) await lab.exec('client', ['chown', '65534', state]);
    const running = await startManypath(
      ['up', '--json', '--listen', '127.0.0.1:0', '--state', state, ...more],
      command => lab.spawn('client', [...user, ...command]),
    );
    const { host, port } = running.ready.proxy as { host: string; port: number };
    const get = async (url: string): Promise<Fetched> => {
      // A tunnel: `time_pretransfer` is when the proxy had said that it is there.
      const { code, stdout } = await lab.exec(
        'client',
        [
          ...user,
          'curl',
          '-qsS',
          '--max-time',
          '10',
          '--proxytunnel',
          '-x',
          `${host}:${port}`,
          '-w',
          '\n%{time_pretransfer}',
          url,
        ],
        { allowFailure: true },
      );
      const lines = stdout.split('\n');
      return { code: code ?? -1, connectedMs: Number(lines.pop()) * 1000, body: lines.join('\n') };
    };
    return {
      get,
      async [Symbol.asyncDispose]() {
        await running.stop();
        rmSync(state, { recursive: true, force: true });
      },
    };
  }

  /** The link that a connection came by, as the origin saw it. */
  function linkOf({ body }: Fetched): string {
    const link = lab.links.find(
      ({ address, address6 }) => body.includes(`"${address}"`) || body.includes(`"${address6}"`),
    );
    if (link === undefined) throw new Error(`no link has an address in ${body}`);
    return link.name;
  }

  for (const asUser of [false, true]) {
    describe(asUser ? 'of a user without privileges' : 'of root', () => {
      for (const host of ['origin.lab', 'origin-mptcp.lab']) {
        it(`get to ${host} within half a second when its link is silent, and at once after that`, async () => {
          await using proxy = await gateway({ asUser });
          const url = `http://${host}/whoami`;
          const link = linkOf(await proxy.get(url));
          await lab.cut(link, 'blackhole');
          try {
            const before = await proxy.get(url);
            expect(before.connectedMs).toBeLessThan(500);
            expect(linkOf(before)).not.toBe(link);
            const after = await proxy.get(url);
            expect(after.connectedMs).toBeLessThan(120);
            expect(linkOf(after)).not.toBe(link);
          } finally {
            await lab.heal(link);
          }
        });
      }

      it('fail soon when the target refuses, over whichever path', async () => {
        await using proxy = await gateway({ asUser });
        const { code, connectedMs } = await proxy.get(`http://${lab.addresses.origin}:9/`);
        expect(code).not.toBe(0);
        expect(connectedMs).toBeLessThan(1000);
      });
    });
  }

  it('replace those through the relay once the target is known to speak Multipath TCP', async () => {
    const state = mkdtempSync(join(tmpdir(), 'manypath-straight-'));
    const relay = await startManypath(
      ['relay', '--json', '--listen', `${lab.addresses.relay}:8443`, '--allow-private', '--state', state],
      command => lab.spawn('relay', command),
    );
    try {
      await using proxy = await gateway({ more: ['--relay', String(relay.ready.pairing)] });
      const seenAs = async (url: string) => JSON.parse((await proxy.get(url)).body).address as string;
      const isOfRelay = (address: string) => [lab.addresses.relay, lab.addresses.relay6].includes(address);
      const multipath = 'http://origin-mptcp.lab/whoami';
      const plain = 'http://origin.lab/whoami';
      const used: string[] = [];
      // The background asks once, after five connections.
      await expect
        .poll(async () => used[used.push(await seenAs(multipath)) - 1], { timeout: 10_000 })
        .not.toSatisfy(isOfRelay);
      expect(used.length).toBeGreaterThan(5);
      expect(used.slice(0, 5).every(isOfRelay)).toBe(true);
      for (let at = 0; at < 7; at++) expect(await seenAs(plain)).toSatisfy(isOfRelay);
    } finally {
      await relay.stop();
      rmSync(state, { recursive: true, force: true });
    }
  });
});
