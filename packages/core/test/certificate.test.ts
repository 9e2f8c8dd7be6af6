import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign, verify, webcrypto, X509Certificate } from 'node:crypto';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import * as der from '../src/der.ts';
import {
  derSignature,
  encodeHex,
  encodePem,
  type SelfSignedCertificateOptions,
  selfSignedCertificate,
} from '../src/index.ts';
import { hex } from './support/pieces.ts';

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const spki = publicKey.export({ type: 'spki', format: 'der' });
const altNames = ['relay.example', '*.relay.example', 'localhost', '127.0.0.1', '2001:db8::1'];

function options(changes: Partial<SelfSignedCertificateOptions> = {}): SelfSignedCertificateOptions {
  return {
    commonName: 'Manypath relay',
    altNames,
    notBefore: new Date('2020-01-02T03:04:05Z'),
    notAfter: new Date('2060-01-02T03:04:05Z'),
    serialNumber: hex('8001 02'),
    publicKey: spki,
    sign: bytes => sign('sha256', bytes, privateKey),
    ...changes,
  };
}

describe('a self-signed certificate', () => {
  const certificate = selfSignedCertificate(options());
  const pem = encodePem('CERTIFICATE', certificate);

  it('says to Node what it was to say', () => {
    const read = new X509Certificate(certificate);
    expect(read.subject).toBe('CN=Manypath relay');
    expect(read.issuer).toBe(read.subject);
    expect(read.serialNumber).toBe('800102');
    expect(new Date(read.validFrom)).toEqual(new Date('2020-01-02T03:04:05Z'));
    expect(new Date(read.validTo)).toEqual(new Date('2060-01-02T03:04:05Z'));
    expect(read.subjectAltName).toBe(
      'DNS:relay.example, DNS:*.relay.example, DNS:localhost, IP Address:127.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1',
    );
    expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(read.ca).toBe(false);
    expect(read.publicKey.export({ type: 'spki', format: 'der' })).toEqual(spki);
    expect(read.verify(publicKey)).toBe(true);
    expect(read.verify(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey)).toBe(false);
  });

  it('is good for its names and addresses, and for no other', () => {
    const read = new X509Certificate(certificate);
    for (const name of ['relay.example', 'a.relay.example', 'localhost'])
      expect(read.checkHost(name)).toBeDefined();
    for (const address of ['127.0.0.1', '2001:db8::1']) expect(read.checkIP(address)).toBe(address);
    for (const name of ['example', 'a.b.relay.example', 'Manypath relay'])
      expect(read.checkHost(name)).toBe(undefined);
    expect(read.checkIP('127.0.0.2')).toBe(undefined);
  });

  it('is read by Node in PEM as in DER', () => {
    expect(new X509Certificate(pem).raw).toEqual(Buffer.from(certificate));
    expect(pem.split('\n').every(line => line.length <= 64)).toBe(true);
    expect(pem).toMatch(/^-----BEGIN CERTIFICATE-----\n[\s\S]+\n-----END CERTIFICATE-----\n$/);
    expect(encodePem('X', new Uint8Array(48))).toBe(
      `-----BEGIN X-----\n${'A'.repeat(64)}\n-----END X-----\n`,
    );
    expect(encodePem('X', hex('00'))).toBe('-----BEGIN X-----\nAA==\n-----END X-----\n');
  });

  it('may have no further names, and dates of either form', () => {
    const read = new X509Certificate(
      selfSignedCertificate(options({ altNames: [], notAfter: new Date('2049-12-31T23:59:59Z') })),
    );
    expect(read.subjectAltName).toBe(undefined);
    expect(new Date(read.validTo)).toEqual(new Date('2049-12-31T23:59:59Z'));
    expect(read.verify(publicKey)).toBe(true);
  });

  it('may be signed by WebCrypto, later', async () => {
    const { subtle } = webcrypto;
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const keys = await subtle.generateKey(algorithm, true, ['sign', 'verify']);
    // Halves with leading zeros or high bits come up within a few signatures.
    for (let count = 0; count < 20; count++) {
      const made = await selfSignedCertificate({
        ...options(),
        publicKey: new Uint8Array(await subtle.exportKey('spki', keys.publicKey)),
        sign: async bytes =>
          derSignature(
            new Uint8Array(await subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, keys.privateKey, bytes)),
          ),
      });
      const read = new X509Certificate(made);
      expect(read.verify(read.publicKey)).toBe(true);
    }
  });

  it('is the server of a TLS 1.3 connection, by name and by address, with the pin that is expected', async () => {
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const server = createServer({ key, cert: pem, minVersion: 'TLSv1.3' }, socket => socket.end('hello'));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      for (const name of ['relay.example', undefined]) {
        const secured = await new Promise<TLSSocket>((resolve, reject) => {
          const socket = connect({
            host: '127.0.0.1',
            port,
            ca: pem,
            ...(name === undefined ? {} : { servername: name }),
          });
          socket.once('secureConnect', () => resolve(socket)).once('error', reject);
        });
        expect(secured.authorized).toBe(true);
        expect(secured.getProtocol()).toBe('TLSv1.3');
        const shown = secured.getPeerX509Certificate()?.publicKey.export({ type: 'spki', format: 'der' });
        expect(
          createHash('sha256')
            .update(shown ?? '')
            .digest(),
        ).toEqual(createHash('sha256').update(spki).digest());
        secured.destroy();
      }
      const refused = await new Promise<Error>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, ca: pem, servername: 'other.example' });
        socket.once('error', resolve).once('secureConnect', () => reject(new Error('it was accepted')));
      });
      expect(refused).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    } finally {
      server.close();
    }
  });

  const openssl = spawnSync('openssl', ['version']).status === 0;
  it.skipIf(!openssl)('is sound to OpenSSL, read strictly', () => {
    const run = (...args: string[]) => execFileSync('openssl', args, { input: pem, encoding: 'utf8' });
    const text = run('x509', '-noout', '-text');
    expect(text).toMatch(/Version: 3 \(0x2\)/);
    expect(text).toMatch(/Serial Number: 8388866 \(0x800102\)/);
    expect(text).toMatch(/Signature Algorithm: ecdsa-with-SHA256/);
    expect(text).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
    expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
    expect(text).toMatch(/X509v3 Extended Key Usage: \n?\s*TLS Web Server Authentication/);
    // Written again by OpenSSL it is the same to the byte: it is DER, and not just BER.
    const again = execFileSync('openssl', ['x509', '-outform', 'DER'], { input: pem });
    expect(encodeHex(again)).toBe(encodeHex(certificate));
  });

  const refused: [what: string, changes: Partial<SelfSignedCertificateOptions>][] = [
    ['no common name', { commonName: '' }],
    ['a common name that is too long', { commonName: 'a'.repeat(65) }],
    ['a serial number of zero', { serialNumber: hex('0000') }],
    ['no serial number', { serialNumber: hex('') }],
    ['a serial number that is too long', { serialNumber: hex(`80${'00'.repeat(19)}`) }],
    ['an end before its beginning', { notAfter: new Date('2019-01-01') }],
    ['a date that is none', { notBefore: new Date('x') }],
    ['a name beyond ASCII', { altNames: ['bücher.example'] }],
    ['a name that is a URL', { altNames: ['https://relay.example'] }],
    ['a name with a zero byte', { altNames: ['relay.example\0.evil'] }],
    ['an empty name', { altNames: [''] }],
  ];
  for (const [what, changes] of refused) {
    it(`is not made with ${what}`, () => {
      expect(() => selfSignedCertificate(options(changes))).toThrow(
        expect.objectContaining({ code: 'MANYPATH_CERTIFICATE_OPTIONS' }) as Error,
      );
    });
  }

  it('may have the longest serial number and common name there are', () => {
    const serialNumber = hex(`7f${'ff'.repeat(19)}`);
    const read = new X509Certificate(
      selfSignedCertificate(options({ serialNumber, commonName: 'ü'.repeat(64) })),
    );
    expect(read.serialNumber.toLowerCase()).toBe(encodeHex(serialNumber));
    expect(read.verify(publicKey)).toBe(true);
  });
});

describe('DER', () => {
  const vectors: [what: string, bytes: Uint8Array, expected: string][] = [
    ['integer 0', der.integer(hex('00')), '020100'],
    ['integer of no bytes', der.integer(hex('')), '020100'],
    ['integer 127', der.integer(hex('7f')), '02017f'],
    ['integer 128', der.integer(hex('80')), '02020080'],
    ['integer 256', der.integer(hex('000100')), '02020100'],
    ['object id', der.objectId('1.2.840.113549'), '06062a864886f70d'],
    ['object id with a large second arc', der.objectId('2.999.3'), '0603883703'],
    ['object id with a zero arc', der.objectId('2.5.0'), '06025500'],
    ['short length', der.octetString(new Uint8Array(127)), `047f${'00'.repeat(127)}`],
    ['length of one byte', der.octetString(new Uint8Array(128)), `048180${'00'.repeat(128)}`],
    ['length of two bytes', der.octetString(new Uint8Array(256)), `04820100${'00'.repeat(256)}`],
    ['bit string', der.bitString(hex('ff')), '030200ff'],
    ['text', der.utf8String('ü'), '0c02c3bc'],
    ['empty sequence', der.sequence(), '3000'],
    ['explicit tag', der.explicit(3, hex('0500')), 'a3020500'],
    ['implicit tag', der.implicit(7, hex('7f000001')), '87047f000001'],
    ['date before 2050', der.time(new Date('2049-12-31T23:59:59.999Z')), '170d3439313233313233353935395a'],
    ['date from 2050', der.time(new Date('2050-01-01T00:00:00Z')), '180f32303530303130313030303030305a'],
  ];
  for (const [what, bytes, expected] of vectors) {
    it(`writes ${what}`, () => {
      expect(encodeHex(bytes)).toBe(expected);
    });
  }

  it('writes signatures that Node takes, whatever their halves', () => {
    const message = hex('010203');
    for (let count = 0; count < 200; count++) {
      const halves = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      expect(verify('sha256', message, publicKey, derSignature(halves))).toBe(true);
    }
  });
});
