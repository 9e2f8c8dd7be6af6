import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { DoctorFinding, SettingsDocument } from '@manypath/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandFolder } from './support/command.ts';

const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I';
const pairing = `manypath://${secret}@127.0.0.1:9`;

describe('the settings of a running gateway, over its control socket', () => {
  let folder: CommandFolder;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    folder = new CommandFolder();
    stop = await folder.up();
  });
  afterAll(async () => {
    await stop();
    folder[Symbol.dispose]();
  });

  /** Asks one thing. @returns The result, or the error's code. */
  async function ask(method: string, params?: unknown): Promise<unknown> {
    const socket = connect(join(folder.path, 'manypath', 'control.sock')).setEncoding('utf8');
    socket.write(`${JSON.stringify({ id: 1, method, ...(params === undefined ? {} : { params }) })}\n`);
    let text = '';
    while (!text.includes('\n')) text += String((await once(socket, 'data'))[0]);
    socket.destroy();
    const { result, error } = JSON.parse(text) as { result?: unknown; error?: { code: string } };
    return error === undefined ? result : error.code;
  }

  const settings = async () => (await ask('settings')) as SettingsDocument;
  const file = () => JSON.parse(readFileSync(folder.config, 'utf8')) as Record<string, unknown>;

  it('are empty where there is no file, and say where it would be', async () => {
    expect(await settings()).toEqual({ file: folder.config, config: {}, relay: null, isolation: null });
    expect(existsSync(folder.config)).toBe(false);
  });

  it('are changed key by key, and written for their owner alone', async () => {
    await ask('configure', { paths: { wwan0: 'backup' }, bypass: ['login.example'] });
    await ask('configure', { rules: [{ host: 'video.example', route: 'tcp' }], bypass: null });
    expect(file()).toEqual({
      paths: { wwan0: 'backup' },
      rules: [{ host: 'video.example', route: 'tcp' }],
    });
    expect((await settings()).config).toEqual(file());
    expect(statSync(folder.config).mode & 0o777).toBe(0o600);
  });

  it('pair with a relay at once, and never tell its secret', async () => {
    await ask('configure', { relay: pairing });
    expect(file().relay).toBe(pairing);
    const deadline = Date.now() + 5000;
    while ((await settings()).relay === null && Date.now() < deadline) {
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    const told = await settings();
    expect(told.relay).toEqual({ address: '127.0.0.1:9', from: 'configuration' });
    expect(JSON.stringify(told)).not.toContain(secret);
    expect(await ask('overview')).toMatchObject({ relay: { address: '127.0.0.1:9' } });
    await ask('configure', { relay: null });
  });

  it("refuse what is no configuration, and what is the file's alone, and change nothing then", async () => {
    const before = file();
    for (const change of [
      { paths: { wlan0: 'sometimes' } },
      { nonsense: 1 },
      { listen: '0.0.0.0:80' },
      { limits: { connections: 1 } },
      'text',
      [],
      null,
    ]) {
      expect(await ask('configure', change)).toBe('MANYPATH_CONFIG_INVALID');
    }
    expect(file()).toEqual(before);
  });

  it('come with what the doctor finds', async () => {
    const findings = (await ask('doctor')) as DoctorFinding[];
    expect(findings.length).toBeGreaterThan(3);
    for (const { id, ok, cause, fix } of findings) {
      expect(id).toMatch(/^[a-z0-9-]+/);
      expect(cause).not.toBe('');
      expect(ok || fix !== null).toBe(true);
    }
  });
});
