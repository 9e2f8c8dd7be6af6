import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { connect, createServer, getSocketOption, preferredCongestion } from '../src/index.ts';

describe('the preferred congestion control', () => {
  it('replaces BBR where that may be done, and nothing else', async () => {
    const usual = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
    const preferred = preferredCongestion();
    if (!usual.startsWith('bbr')) {
      expect(preferred).toBeUndefined();
      return;
    }
    expect([undefined, 'cubic']).toContain(preferred);
    const server = await createServer({ host: '127.0.0.1' }, socket => socket.destroy());
    const { port } = server.address() as { port: number };
    const socket = await connect({
      host: '127.0.0.1',
      port,
      ...(preferred === undefined ? {} : { congestion: preferred }),
    });
    socket.on('error', () => {});
    expect(getSocketOption(socket, 'congestion')).toBe(preferred ?? usual);
    socket.destroy();
    server.close();
  });
});
