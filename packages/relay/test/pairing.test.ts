import { createPrivateKey, createPublicKey, randomBytes, sign, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { encodePem, parsePairing, selfSignedCertificate } from '@manypath/core';
import { createFile } from '@manypath/files';
import { describe, expect, it } from 'vitest';
import { loadIdentity, ownCertificate, pinOf } from '../src/identity.ts';
import { RelayIdentityError, startRelay } from '../src/index.ts';
import { guessPublicHost } from '../src/public-host.ts';
import { connectHttp1, tlsTo } from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { echoOrigin } from './support/origins.ts';
import { temporaryFolder, testRelay } from './support/relay.ts';

const day = 86_400_000;

describe('a pairing', () => {
  it('has a secret of at least 128 random bits, and the pin of the certificate that is shown', async () => {
    const { pairing } = await testRelay();
    expect(Buffer.from(pairing.secret, 'base64url').length).toBeGreaterThanOrEqual(16);
    expect(pairing.pin).toBe(await shownPin(pairing));
  });

  it('stays the same after a restart', async () => {
    const { relay, stateDir } = await testRelay({ publicHost: { host: '127.0.0.1', port: 4321 } });
    await relay.close(0);
    const again = await testRelay({ stateDir, publicHost: { host: '127.0.0.1', port: 4321 } });
    expect(again.relay.pairing).toBe(relay.pairing);
  });

  it('names the public host, and the port that is listened on unless another is given', async () => {
    const { relay } = await testRelay({ publicHost: { host: 'relay.example', port: 0 } });
    expect(relay.pairing).toContain(`@relay.example:${relay.address.port}?pin=`);
    const second = await testRelay({ publicHost: { host: '2001:db8::1', port: 443 } });
    expect(second.relay.pairing).toContain('@[2001:db8::1]:443?pin=');
  });

  it('is the one of the relay that was faster when two make it at the same time', () => {
    const file = join(temporaryFolder(), 'secret');
    expect(createFile(file, 'first')).toBe(true);
    expect(createFile(file, 'second')).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe('first');
    expect(readdirSync(dirname(file))).toEqual(['secret']);
  });

  it('changes with the folder', () => {
    expect(loadIdentity(temporaryFolder()).secret).not.toBe(loadIdentity(temporaryFolder()).secret);
  });
});

describe('the state folder', () => {
  it('can be looked into by nobody else', async () => {
    const { stateDir } = await testRelay();
    const folder = join(stateDir, 'relay');
    expect(modeOf(folder)).toBe(0o700);
    expect(readdirSync(folder).sort()).toEqual(['cert.pem', 'key.pem', 'pairing', 'secret']);
    for (const name of readdirSync(folder)) expect(modeOf(join(folder, name))).toBe(0o600);
  });

  it('is closed to others when it was open to them', () => {
    const folder = temporaryFolder();
    loadIdentity(folder);
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'secret'), 0o644);
    loadIdentity(folder);
    expect([modeOf(folder), modeOf(join(folder, 'secret'))]).toEqual([0o700, 0o600]);
  });

  for (const name of ['secret', 'key.pem']) {
    it(`is not repaired when ${name} is damaged: that would unpair every client`, async () => {
      const { relay, stateDir } = await testRelay();
      await relay.close(0);
      writeFileSync(join(stateDir, 'relay', name), 'damaged');
      const again = startRelay({ listen: relay.address, stateDir });
      await expect(again).rejects.toMatchObject({
        code: 'MANYPATH_RELAY_IDENTITY',
        hint: expect.stringContaining('put back a copy'),
      });
      expect(readFileSync(join(stateDir, 'relay', name), 'utf8')).toBe('damaged');
    });
  }

  it('is refused with a clear error when it is no folder', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const start = startRelay({ listen: { host: '127.0.0.1', port: 0 }, stateDir: file });
    await expect(start).rejects.toMatchObject({ code: 'MANYPATH_RELAY_IDENTITY' });
  });
});

describe('the self-made certificate', () => {
  it('is for the public host', () => {
    const folder = temporaryFolder();
    const { key } = loadIdentity(folder);
    const certificate = new X509Certificate(ownCertificate(folder, key, ['relay.example']).cert);
    expect(certificate.checkHost('relay.example')).toBe('relay.example');
    expect(Date.parse(certificate.validTo) - Date.now()).toBeGreaterThan(3000 * day);
    expect(certificate.verify(createPublicKey(key))).toBe(true);
  });

  for (const [what, spoil] of [
    ['ends soon', (key: string) => certificateOf(key, { notAfter: new Date(Date.now() + 20 * day) })],
    ['is for another name', (key: string) => certificateOf(key, { altNames: ['old.example'] })],
    ['is damaged', () => 'damaged'],
    ['is of another key', () => certificateOf(loadIdentity(temporaryFolder()).key, {})],
  ] as const) {
    it(`is made anew when the kept one ${what}, with the same key, so that the pin stays`, () => {
      const folder = temporaryFolder();
      const { key, pin } = loadIdentity(folder);
      const spoiled = spoil(key);
      writeFileSync(join(folder, 'cert.pem'), spoiled);
      const { cert } = ownCertificate(folder, key, ['relay.example']);
      expect(cert).not.toBe(spoiled);
      expect(pinOf(new X509Certificate(cert).publicKey)).toBe(pin);
      expect(ownCertificate(folder, key, ['relay.example']).cert).toBe(cert);
    });
  }

  it('is renewed while the relay runs', async () => {
    const { pairing, stateDir, relay } = await testRelay({ limits: { certificateCheckMs: 20 } });
    const file = join(stateDir, 'relay', 'cert.pem');
    const key = readFileSync(join(stateDir, 'relay', 'key.pem'), 'utf8');
    const ending = certificateOf(key, { notAfter: new Date(Date.now() + day), altNames: ['127.0.0.1'] });
    writeFileSync(file, ending);
    await eventually(() => readFileSync(file, 'utf8')).not.toBe(ending);
    await eventually(async () => (await shown(pairing)).toString()).toBe(readFileSync(file, 'utf8'));
    expect(await shownPin(pairing)).toBe(parsePairing(relay.pairing).pin);
  });
});

describe('a certificate from an authority', () => {
  /** Stands for one that certbot or the like has put there. */
  function issue(folder: string, name: string) {
    mkdirSync(folder, { recursive: true });
    const { key } = loadIdentity(temporaryFolder());
    const files = { key: join(folder, 'privkey.pem'), cert: join(folder, 'fullchain.pem') };
    for (const [file, content] of [
      [files.key, key],
      [files.cert, certificateOf(key, { altNames: [name] })],
    ] as const) {
      writeFileSync(`${file}.new`, content);
      renameSync(`${file}.new`, file);
    }
    return files;
  }

  it('is shown, and the pairing has no pin', async () => {
    const certificate = issue(temporaryFolder(), 'relay.example');
    const { pairing } = await testRelay({ certificate });
    expect(pairing.pin).toBeUndefined();
    expect((await shown(pairing)).checkHost('relay.example')).toBe('relay.example');
    expect((await connectHttp1(pairing, await echoOrigin())).status).toBe(200);
  });

  it('is used anew when its files change, and open tunnels go on', async () => {
    const folder = temporaryFolder();
    const certificate = issue(folder, 'old.example');
    const { pairing } = await testRelay({ certificate, limits: { certificateCheckMs: 20 } });
    const { socket } = await connectHttp1(pairing, await echoOrigin());
    issue(folder, 'new.example');
    await eventually(async () => (await shown(pairing)).checkHost('new.example')).toBe('new.example');
    socket.write('still there');
    await eventually(() => String(socket.read() ?? '')).toBe('still there');
  });

  it('stays in use when its files become unusable', async () => {
    const folder = temporaryFolder();
    const certificate = issue(folder, 'relay.example');
    const warnings: string[] = [];
    const logger = {
      debug() {},
      info() {},
      warn: (fields: { code?: string }) => void warnings.push(String(fields.code)),
    };
    const { pairing } = await testRelay({ certificate, logger, limits: { certificateCheckMs: 20 } });
    writeFileSync(certificate.cert, 'half a certif');
    await eventually(() => warnings).toContain('MANYPATH_RELAY_CERTIFICATE');
    expect((await shown(pairing)).checkHost('relay.example')).toBe('relay.example');
  });

  it('is refused with a clear error when files are missing or do not belong together', async () => {
    const folder = temporaryFolder();
    const good = issue(join(folder, 'a'), 'a.example');
    const other = issue(join(folder, 'b'), 'b.example');
    const missing = { cert: join(folder, 'none'), key: good.key };
    for (const certificate of [missing, { cert: good.cert, key: other.key }]) {
      const start = startRelay({ listen: { host: '127.0.0.1', port: 0 }, stateDir: folder, certificate });
      await expect(start).rejects.toMatchObject({ code: 'MANYPATH_RELAY_CERTIFICATE' });
    }
  });
});

describe('the guess of the public host', () => {
  const entry = (address: string, internal = false) => ({
    address,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    internal,
  });
  const loopback = entry('127.0.0.1', true);
  const table: [string, ReturnType<typeof entry>[], string][] = [
    ['203.0.113.5', [], '203.0.113.5'],
    ['relay.example', [], 'relay.example'],
    ['127.0.0.1', [entry('8.8.4.4')], '127.0.0.1'],
    ['0.0.0.0', [loopback, entry('10.0.0.5'), entry('8.8.4.4')], '8.8.4.4'],
    ['0.0.0.0', [loopback, entry('2606:4700::1'), entry('10.0.0.5')], '10.0.0.5'],
    ['::', [loopback, entry('2606:4700::1'), entry('10.0.0.5')], '2606:4700::1'],
    ['::', [entry('fe80::1'), entry('10.0.0.5')], '10.0.0.5'],
    ['0.0.0.0', [loopback], 'localhost'],
  ];
  for (const [listen, addresses, expected] of table) {
    const named = addresses.map(({ address }) => address).join(', ') || 'nothing';
    it(`is ${expected} for a listener on ${listen} with ${named}`, () => {
      expect(guessPublicHost(listen, addresses)).toBe(expected);
    });
  }
});

type Place = Parameters<typeof tlsTo>[0];

async function shown(pairing: Place): Promise<X509Certificate> {
  const socket = await tlsTo(pairing);
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  if (certificate === undefined) throw new Error('no certificate was shown');
  return certificate;
}

async function shownPin(pairing: Place): Promise<string> {
  return pinOf((await shown(pairing)).publicKey);
}

function modeOf(file: string): number {
  return statSync(file).mode & 0o777;
}

function certificateOf(key: string, changed: { notAfter?: Date; altNames?: string[] }): string {
  const der = selfSignedCertificate({
    commonName: 'test',
    altNames: ['relay.example'],
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + 300 * day),
    serialNumber: Uint8Array.of(1, ...randomBytes(8)),
    publicKey: createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' }),
    sign: bytes => sign('sha256', bytes, key),
    ...changed,
  });
  return encodePem('CERTIFICATE', der);
}

it('is never said to be removed for a disk that is full or read-only, or a folder of somebody else', () => {
  for (const code of ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO']) {
    const { hint = '' } = new RelayIdentityError(
      '/state/relay/secret',
      Object.assign(new Error(code), { code }),
    );
    expect(hint).not.toMatch(/remove/);
    expect(hint).toMatch(/disk|--state/);
  }
});
