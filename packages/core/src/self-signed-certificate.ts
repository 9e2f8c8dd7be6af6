import { concatBytes, encodeText } from './bytes.ts';
import * as der from './der.ts';
import { parseIpAddress } from './ip-address.ts';

/** What a certificate says and how it is signed. */
export interface SelfSignedCertificateOptions {
  /** Common name of subject and issuer; not longer than 64 characters (RFC 5280 appendix A). */
  readonly commonName: string;
  /** Names and IP addresses the server may be reached under. */
  readonly altNames: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Positive, at most 20 bytes; RFC 5280 §4.1.2.2. */
  readonly serialNumber: Uint8Array;
  /** SubjectPublicKeyInfo of the P-256 key in DER. */
  readonly publicKey: Uint8Array;
  /** Signs with ecdsa-with-SHA256: the bytes in, the DER form of the signature out. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

const objectIds = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  serverAuthentication: '1.3.6.1.5.5.7.3.1',
} as const;

/** KeyUsage with digitalSignature alone: bit 0 of one byte with seven bits unused; RFC 5280 §4.2.1.3. */
const digitalSignature = Uint8Array.of(0x03, 0x02, 0x07, 0x80);

/**
 * Makes an X.509 v3 certificate for a TLS server, signed by its own P-256 key; RFC 5280 §4.1.
 *
 * @returns The certificate in DER.
 */
export function selfSignedCertificate(options: SelfSignedCertificateOptions): Uint8Array {
  const algorithm = der.sequence(der.objectId(objectIds.ecdsaWithSha256));
  const name = der.sequence(
    der.set(der.sequence(der.objectId(objectIds.commonName), der.utf8String(options.commonName))),
  );
  const toBeSigned = der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))),
    der.integer(options.serialNumber),
    algorithm,
    name,
    der.sequence(der.time(options.notBefore), der.time(options.notAfter)),
    name,
    options.publicKey,
    der.explicit(3, extensions(options.altNames)),
  );
  return der.sequence(toBeSigned, algorithm, der.bitString(options.sign(toBeSigned)));
}

function extensions(altNames: readonly string[]): Uint8Array {
  const usage = der.sequence(der.objectId(objectIds.serverAuthentication));
  const all = [
    extension(objectIds.basicConstraints, true, der.sequence()),
    extension(objectIds.keyUsage, true, digitalSignature),
    extension(objectIds.extendedKeyUsage, false, usage),
  ];
  // An empty list of names is not allowed; RFC 5280 §4.2.1.6.
  if (altNames.length > 0) {
    all.push(extension(objectIds.subjectAltName, false, der.sequence(...altNames.map(generalName))));
  }
  return der.sequence(...all);
}

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [der.booleanTrue] : [];
  return der.sequence(der.objectId(id), ...flag, der.octetString(value));
}

/** iPAddress is context tag 7, dNSName context tag 2; RFC 5280 §4.2.1.6. */
function generalName(text: string): Uint8Array {
  const address = parseIpAddress(text);
  return address ? der.implicit(7, address.bytes) : der.implicit(2, encodeText(text));
}

/** The PEM form of a DER structure; RFC 7468. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...concatBytes([bytes])));
  return `-----BEGIN ${label}-----\n${base64.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END ${label}-----\n`;
}
