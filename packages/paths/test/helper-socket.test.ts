import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeRoomForSocket } from '../src/rights/helper-socket.ts';

describe('the place of the helper’s socket', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-helper-socket-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is made with the folders above it', async () => {
    await makeRoomForSocket(join(folder, 'run/manypath/helper.sock'));
    expect(existsSync(join(folder, 'run/manypath'))).toBe(true);
  });

  it('never takes away a file that is no socket', async () => {
    const file = join(folder, 'passwd');
    writeFileSync(file, 'root:x:0:0');
    await expect(makeRoomForSocket(file)).rejects.toMatchObject({ code: 'MANYPATH_HELPER_SOCKET' });
    expect(readFileSync(file, 'utf8')).toBe('root:x:0:0');
    await expect(makeRoomForSocket(folder)).rejects.toMatchObject({ code: 'MANYPATH_HELPER_SOCKET' });
    await expect(makeRoomForSocket(join(file, 'below'))).rejects.toMatchObject({
      code: 'MANYPATH_HELPER_SOCKET',
    });
  });

  it('is left to a helper that runs', async () => {
    const path = join(folder, 'helper.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    try {
      await expect(makeRoomForSocket(path)).rejects.toMatchObject({ code: 'MANYPATH_HELPER_SOCKET' });
      const client = connect(path);
      await once(client, 'connect');
      client.destroy();
    } finally {
      server.close();
    }
  });

  it('is taken from one that was killed', async () => {
    const path = join(folder, 'helper.sock');
    const listening =
      'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))';
    expect(spawnSync(process.execPath, ['-e', listening, path]).signal).toBe('SIGKILL');
    expect(existsSync(path)).toBe(true);
    await makeRoomForSocket(path);
    expect(existsSync(path)).toBe(false);
  });
});
