import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from '../../../test/support/requirements.ts';
import { type ClientRooms, inNamespaceOf } from './support/in-client.ts';

interface Dialled {
  path: string | undefined;
  device: string | undefined;
  tookMs: number;
  descriptors: number;
}

interface Script {
  targets: { host: string; port: number }[];
}

/** Dials targets one after the other with one memory; what is told is told by the kernel. */
async function dialAll({ mptcp, paths, outlooks, routes, descriptors }: ClientRooms, { targets }: Script) {
  const remembered = new paths.WinnerMemory();
  const told: string[] = [];
  const dialled: Dialled[] = [];
  for (const target of targets) {
    const began = performance.now();
    const { socket, path } = await paths.dialOverPaths({
      ...target,
      outlooks,
      remembered,
      askRoute: (address, question) => routes.routeTo(address, question),
      onOutcome: (name, outcome) => told.push(`${name} ${outcome}`),
    });
    const tookMs = performance.now() - began;
    const { device } = mptcp.info(socket);
    mptcp.resetSocket(socket);
    await new Promise(resolve => setTimeout(resolve, 20));
    dialled.push({ path: path?.name, device, tookMs, descriptors: descriptors() });
  }
  return { dialled, told, uid: process.getuid?.() };
}

const why = whyNoLab();
describe.skipIf(why)(`dialling over paths${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let first: string;
  let second: string;
  beforeAll(async () => {
    lab = await Lab.create();
    await lab.startOrigin();
    [first = '', second = ''] = lab.links.map(({ device }) => device);
  });
  afterAll(() => lab.destroy());

  for (const uid of [undefined, 65_534]) {
    describe(uid === undefined ? 'as root' : 'as a user without privileges', () => {
      it('goes over the first path while that answers', async () => {
        const host = lab.addresses.origin;
        const { dialled, told } = await inNamespaceOf(
          lab,
          dialAll,
          { targets: [{ host, port: 80 }] },
          options(uid),
        );
        expect(dialled).toMatchObject([{ path: first, device: first }]);
        expect(told).toEqual([`${first} answered`]);
      });

      it('connects within half a second when the first path is silent, and at once the second time', async () => {
        const [link] = lab.links;
        await lab.cut(link?.name ?? '', 'blackhole');
        try {
          const targets = [
            { host: lab.addresses.origin, port: 80 },
            { host: lab.addresses.origin, port: 7 },
            { host: lab.addresses.origin6, port: 80 },
          ];
          const { dialled, told, uid: ran } = await inNamespaceOf(lab, dialAll, { targets }, options(uid));
          expect(ran).toBe(uid ?? 0);
          expect(dialled.map(({ device }) => device)).toEqual([second, second, second]);
          expect(dialled[0]?.tookMs).toBeLessThan(500);
          expect(dialled[1]?.tookMs).toBeLessThan(100);
          expect(dialled[2]?.tookMs).toBeLessThan(100);
          expect(told).toEqual([
            `${second} answered`,
            `${first} silent`,
            `${second} answered`,
            `${second} answered`,
          ]);
          // Whoever lost has left no descriptor behind.
          expect(dialled[1]?.descriptors).toBe(dialled[0]?.descriptors);
        } finally {
          await lab.heal(link?.name ?? '');
        }
      });

      it('leaves the machine and its own networks to the routing table', async () => {
        const host = lab.addresses.gatewayB;
        const dial = async (
          { paths, outlooks, routes }: ClientRooms,
          target: { host: string; port: number },
        ) => {
          const tried: string[] = [];
          await paths
            .dialOverPaths({
              ...target,
              outlooks,
              askRoute: (address, question) => routes.routeTo(address, question),
              timeout: 2000,
            })
            .catch((error: Error) => tried.push(error.message));
          return tried;
        };
        for (const near of [host, '127.0.0.1', '::1']) {
          const [message] = await inNamespaceOf(lab, dial, { host: near, port: 9 }, options(uid));
          expect(message).toContain('ECONNREFUSED');
          expect(message).not.toContain(' over ');
        }
      });
    });
  }
});

function options(uid: number | undefined): { uid?: number } {
  return uid === undefined ? {} : { uid };
}
