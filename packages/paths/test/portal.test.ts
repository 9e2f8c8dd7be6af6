import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { SimulatedClock } from '@manypath/core';
import { afterEach, describe, expect, it } from 'vitest';
import type { Path } from '../src/discovery/path.ts';
import { HealthKeeper } from '../src/health/health-keeper.ts';
import type { Evidence } from '../src/health/judge.ts';
import { askForPortal } from '../src/health/portal.ts';

const path: Path = {
  name: 'lo',
  index: 1,
  kind: 'virtual',
  network: 'lo via 127.0.0.1',
  metric: 0,
  addresses: [{ address: '127.0.0.1', family: 4, prefixLength: 8, gateway: '127.0.0.1' }],
};

describe('the question for a captive portal', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function ask(server: Server): Promise<Evidence | undefined> {
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return askForPortal(path, `http://127.0.0.1:${port}/generate_204?x=1`, AbortSignal.timeout(5000));
  }
  const answering = (listener: RequestListener) => ask(createServer(listener));

  it('is answered with 204 where there is none, by the page that was asked for', async () => {
    const asked: (string | undefined)[] = [];
    const evidence = await answering((request, response) => {
      asked.push(request.url);
      response.writeHead(204).end();
    });
    expect(evidence).toEqual({ kind: 'free' });
    expect(asked).toEqual(['/generate_204?x=1']);
  });

  it('is answered with a redirection by a portal, whose place is told', async () => {
    const evidence = await answering((_, response) =>
      response.writeHead(302, { location: 'http://login.example/' }).end(),
    );
    expect(evidence).toEqual({ kind: 'portal', place: 'http://login.example/' });
  });

  it('is answered with a page of its own by another portal', async () => {
    const evidence = await answering((_, response) => response.end('<h1>Welcome</h1>'));
    expect(evidence).toEqual({ kind: 'portal', place: 'status 200' });
  });

  it('says nothing when nobody answers, or with no HTTP', async () => {
    expect(await ask(createTcpServer(socket => socket.end('SSH-2.0-x\r\n')))).toBeUndefined();
    expect(await ask(createTcpServer(socket => socket.destroy()))).toBeUndefined();
  });
});

describe('a path that is new', () => {
  it('is left out while it has a portal, and asked again until it has none', async () => {
    const clock = new SimulatedClock();
    const answers: Evidence[] = [
      { kind: 'portal', place: 'a' },
      { kind: 'portal', place: 'a' },
      { kind: 'free' },
    ];
    const asked: string[] = [];
    const keeper = new HealthKeeper({
      clock,
      logger: { debug() {}, info() {}, warn() {} },
      onChange: () => {},
      portalCheck: 'http://portal.example/',
      askPortal: async (_, url) => {
        asked.push(url);
        return answers.shift();
      },
    });
    keeper.usePaths([path]);
    await settled();
    expect(keeper.verdict('lo')?.health).toBe('captive');
    await clock.advance(3000);
    await settled();
    expect(keeper.verdict('lo')?.health).toBe('captive');
    await clock.advance(3000);
    await settled();
    expect(keeper.verdict('lo')?.health).toBe('up');
    await clock.advance(60_000);
    expect(asked).toHaveLength(3);
    keeper.close();
  });
});

/** What was promised has happened. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
