import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { openDatagram } from '../src/index.ts';

describe.runIf(process.platform === 'linux')('a datagram socket that is tied to a device', () => {
  it('reaches what is there, and Node has nothing to warn of', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', onWarning);
    const server = createSocket('udp4');
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    server.on('message', (bytes, { port, address }) => server.send(bytes, port, address));
    const socket = await openDatagram({ address: '127.0.0.1', port: server.address().port, device: 'lo' });
    try {
      socket.send('there and back');
      const [bytes] = await once(socket, 'message');
      expect(String(bytes)).toBe('there and back');
      expect(warnings).toEqual([]);
    } finally {
      process.off('warning', onWarning);
      socket.close();
      server.close();
    }
  });

  it('is not to be had for a device that is not there', async () => {
    await expect(
      openDatagram({ address: '127.0.0.1', port: 9, device: 'no-such-device' }),
    ).rejects.toMatchObject({ code: 'MPTCP_BIND_FAILED' });
  });
});
