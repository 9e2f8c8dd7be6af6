import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { encodePem, selfSignedCertificate } from '@manypath/core';
import { serverRoles, serverSubnet } from './plan.ts';

/** A server's key and certificate as PEM. */
export interface KeyPair {
  key: string;
  cert: string;
}

const day = 24 * 60 * 60 * 1000;

/** A certificate, good for a month, for every name and address of a lab's servers and for `localhost`. */
export function labCertificate(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const servers = serverRoles.flatMap(role => [serverSubnet(role).address, serverSubnet(role).address6]);
  const certificate = selfSignedCertificate({
    commonName: 'origin.lab',
    altNames: ['origin.lab', 'origin-mptcp.lab', 'relay.lab', 'localhost', ...servers, '127.0.0.1', '::1'],
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + 30 * day),
    // Positive as a DER integer whatever the other bytes are.
    serialNumber: Buffer.concat([Buffer.of(1), randomBytes(15)]),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }),
    sign: bytes => sign('sha256', bytes, privateKey),
  });
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: encodePem('CERTIFICATE', certificate),
  };
}
