import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { silentLogger } from '@manypath/core';
import { DiagReader, NetlinkError } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { OwnerGuard } from '../src/owner-guard.ts';
import { dial, tunnelTo } from './support/client.ts';
import { echoOrigin, tcpOrigin } from './support/origins.ts';
import { startGateway, until } from './support/scope.ts';

const root = process.getuid?.() === 0;
const nobody = 65_534;

describe('the guard of the proxy port', () => {
  it('lets the user in who started the gateway', async () => {
    const gateway = await startGateway();
    expect(gateway.guard).toBe('same-user');
    await tunnelTo(gateway.proxy, await echoOrigin());
  });

  it.skipIf(!root)('lets no other user in (needs root, to be another user)', async () => {
    const gateway = await startGateway();
    for (const [protocol, answer] of [
      ['http', '403'],
      ['socks5h', 'authentication'],
    ]) {
      const proxy = `${protocol}://127.0.0.1:${gateway.proxy.port}`;
      const curl = spawn('curl', ['-q', '-sS', '-i', '--max-time', '5', '-x', proxy, 'http://127.0.0.1:1/'], {
        uid: nobody,
        cwd: '/',
      });
      let said = '';
      curl.stdout.on('data', text => {
        said += text;
      });
      curl.stderr.on('data', text => {
        said += text;
      });
      await once(curl, 'close');
      expect(said).toContain(answer);
      if (protocol === 'http') expect(said).toContain('MANYPATH_FOREIGN_USER');
    }
    expect(gateway.status().totals.opened).toBe(0);
  });

  it.skipIf(!root)('lets everybody in when it is switched off (needs root, to be another user)', async () => {
    const gateway = await startGateway({ guard: 'none' });
    expect(gateway.guard).toBe('none');
    const origin = await tcpOrigin(socket => socket.end('HTTP/1.0 200 OK\r\n\r\nfine'));
    const proxy = `http://127.0.0.1:${gateway.proxy.port}`;
    const url = `http://127.0.0.1:${origin.port}/`;
    const curl = spawn('curl', ['-q', '-sS', '--max-time', '5', '-x', proxy, url], { uid: nobody, cwd: '/' });
    let said = '';
    curl.stdout.on('data', text => {
      said += text;
    });
    await once(curl, 'close');
    expect(said).toBe('fine');
  });

  it('asks for the owner of the client’s end, on IPv4, IPv6 and mapped addresses', async () => {
    const mine = new OwnerGuard('same-user', silentLogger);
    // Sockets of root are everybody's; for anyone else, another user's guard must refuse ours.
    const others = new OwnerGuard('same-user', silentLogger, { uid: nobody - 1 });
    for (const [host, target] of [
      ['127.0.0.1', '127.0.0.1'],
      ['::1', '::1'],
      ['::', '127.0.0.1'],
    ] as const) {
      const origin = await tcpOrigin(() => {}, host);
      const client = connect({ host: target, port: origin.port });
      await until(() => origin.sockets.size === 1);
      const [accepted] = origin.sockets;
      if (accepted === undefined) throw new Error('nothing was accepted');
      expect(mine.admits(accepted)).toBe(true);
      expect(others.admits(accepted)).toBe(root);
      client.destroy();
    }
    mine.close();
    others.close();
  });

  it('refuses a client that is gone: nobody owns it any more', async () => {
    const guard = new OwnerGuard('same-user', silentLogger);
    const origin = await tcpOrigin(() => {});
    const client = await dial(origin);
    await until(() => origin.sockets.size === 1);
    client.destroy();
    await new Promise(resolve => client.once('close', resolve));
    const [accepted] = origin.sockets;
    if (accepted === undefined) throw new Error('nothing was accepted');
    expect(guard.admits(accepted)).toBe(false);
    guard.close();
  });

  it('asks again with a fresh socket when the kernel did not answer', async () => {
    let opened = 0;
    const open = () => {
      const reader = DiagReader.open();
      opened += 1;
      // The first one is closed behind the guard's back: whatever is asked of it fails.
      if (opened === 1) onGone.push(() => reader.close());
      return reader;
    };
    const onGone: (() => void)[] = [];
    const guard = new OwnerGuard('same-user', silentLogger, { open });
    const accepted = await ownConnection();
    expect(guard.admits(accepted)).toBe(true);
    for (const close of onGone) close();
    expect(guard.admits(accepted)).toBe(true);
    expect(opened).toBe(2);
    expect(guard.mode).toBe('same-user');
    guard.close();
  });

  it('lets nobody in while the kernel does not answer, says so once, and goes on when it does', async () => {
    let isBroken = false;
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
    const open = () => {
      if (isBroken) throw new NetlinkError('open a socket', 'EMFILE');
      const reader = DiagReader.open();
      return {
        ownerUid: (...ends: Parameters<DiagReader['ownerUid']>) => {
          if (isBroken) throw new NetlinkError('ask', 'ENOBUFS');
          return reader.ownerUid(...ends);
        },
        close: () => reader.close(),
      };
    };
    const guard = new OwnerGuard('same-user', logger, { open });
    const accepted = await ownConnection();
    isBroken = true;
    for (let time = 0; time < 5; time++) expect(guard.admits(accepted)).toBe(false);
    expect(warnings).toHaveLength(1);
    isBroken = false;
    expect(guard.admits(accepted)).toBe(true);
    isBroken = true;
    expect(guard.admits(accepted)).toBe(false);
    expect(warnings).toHaveLength(2);
    guard.close();
  });

  it('is closed, not open, when there was no descriptor left at the start', async () => {
    let isFull = true;
    const open = () => {
      if (isFull) throw new NetlinkError('open a socket', 'EMFILE');
      return DiagReader.open();
    };
    const guard = new OwnerGuard('same-user', silentLogger, { open });
    const accepted = await ownConnection();
    expect(guard.mode).toBe('same-user');
    expect(guard.admits(accepted)).toBe(false);
    isFull = false;
    expect(guard.admits(accepted)).toBe(true);
    guard.close();
  });

  it('is open only where the kernel never tells', async () => {
    const open = () => {
      throw new NetlinkError('open a socket', 'EPROTONOSUPPORT');
    };
    const guard = new OwnerGuard('same-user', silentLogger, { open });
    expect(guard.mode).toBe('unavailable');
    expect(guard.admits(await ownConnection())).toBe(true);
  });
});

/** The accepted end of a connection of this process. */
async function ownConnection(): Promise<Socket> {
  const origin = await tcpOrigin(() => {});
  await dial(origin);
  await until(() => origin.sockets.size === 1);
  const [accepted] = origin.sockets;
  if (accepted === undefined) throw new Error('nothing was accepted');
  return accepted;
}
