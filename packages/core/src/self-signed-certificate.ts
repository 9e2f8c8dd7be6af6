import { isHostName } from './authority.ts';
import { decodeLatin1, encodeText } from './bytes.ts';
import * as der from './der.ts';
import { ManypathError } from './errors.ts';
import { parseIpAddress } from './ip-address.ts';

/** A certificate cannot say what it was to say. */
export class CertificateOptionsError extends ManypathError {
  constructor(reason: string) {
    super('MANYPATH_CERTIFICATE_OPTIONS', `no certificate can be made: ${reason}`);
  }
}

/** What a certificate says and how it is signed. */
export interface SelfSignedCertificateOptions<Signature = Uint8Array> {
  /** Common name of subject and issuer; not longer than 64 characters (RFC 5280 appendix A). */
  readonly commonName: string;
  /** Names, in ASCII (`xn--…`; the first label may be `*`), and IP addresses the server may be reached under. */
  readonly altNames: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Positive, at most 20 bytes; RFC 5280 §4.1.2.2. */
  readonly serialNumber: Uint8Array;
  /** SubjectPublicKeyInfo of the P-256 key in DER. */
  readonly publicKey: Uint8Array;
  /**
   * Signs with ecdsa-with-SHA256: the bytes in, the DER form of the signature out. WebCrypto gives another form, see
   * {@link derSignature}.
   */
  readonly sign: (bytes: Uint8Array<ArrayBuffer>) => Signature;
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
 * @returns The certificate in DER; a promise of it when `sign` gives a promise.
 * @throws CertificateOptionsError `MANYPATH_CERTIFICATE_OPTIONS`
 */
export function selfSignedCertificate(options: SelfSignedCertificateOptions): Uint8Array<ArrayBuffer>;
export function selfSignedCertificate(
  options: SelfSignedCertificateOptions<Promise<Uint8Array>>,
): Promise<Uint8Array<ArrayBuffer>>;
export function selfSignedCertificate(
  options: SelfSignedCertificateOptions<Uint8Array | Promise<Uint8Array>>,
): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
  const algorithm = der.sequence(der.objectId(objectIds.ecdsaWithSha256));
  const content = toBeSigned(options, algorithm);
  const signed = (signature: Uint8Array) => der.sequence(content, algorithm, der.bitString(signature));
  const signature = options.sign(content);
  return signature instanceof Uint8Array ? signed(signature) : signature.then(signed);
}

/**
 * The DER form (RFC 5480 appendix A) of an ECDSA signature that is two numbers side by side, as WebCrypto gives it.
 *
 * @param signature 64 bytes for P-256.
 */
export function derSignature(signature: Uint8Array): Uint8Array<ArrayBuffer> {
  const half = signature.length / 2;
  return der.sequence(der.integer(signature.subarray(0, half)), der.integer(signature.subarray(half)));
}

function toBeSigned(
  options: SelfSignedCertificateOptions<unknown>,
  algorithm: Uint8Array,
): Uint8Array<ArrayBuffer> {
  checkOptions(options);
  const name = der.sequence(
    der.set(der.sequence(der.objectId(objectIds.commonName), der.utf8String(options.commonName))),
  );
  return der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))),
    der.integer(options.serialNumber),
    algorithm,
    name,
    der.sequence(der.time(options.notBefore), der.time(options.notAfter)),
    name,
    options.publicKey,
    der.explicit(3, extensions(options.altNames)),
  );
}

const longestCommonName = 64;
const longestSerialNumber = 20;

function checkOptions(options: SelfSignedCertificateOptions<unknown>): void {
  const { commonName, serialNumber, notBefore, notAfter } = options;
  if (commonName === '' || [...commonName].length > longestCommonName) {
    throw new CertificateOptionsError(`its common name has not 1 to ${longestCommonName} characters`);
  }
  const encodedSerialNumber = der.integer(serialNumber).length - 2;
  if (encodedSerialNumber > longestSerialNumber || serialNumber.every(byte => byte === 0)) {
    throw new CertificateOptionsError(`its serial number has not 1 to ${longestSerialNumber} bytes`);
  }
  if (!(notBefore.getTime() <= notAfter.getTime())) {
    throw new CertificateOptionsError('it would end before it begins');
  }
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
  if (address !== undefined) return der.implicit(7, address.bytes);
  if (isHostName(text.replace(/^\*\./, ''))) return der.implicit(2, encodeText(text));
  throw new CertificateOptionsError(`${JSON.stringify(text)} is neither a name in ASCII nor an IP address`);
}

/** The PEM form of a DER structure; RFC 7468. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const base64 = btoa(decodeLatin1(bytes));
  return `-----BEGIN ${label}-----\n${base64.replace(/(.{64})(?=.)/g, '$1\n')}\n-----END ${label}-----\n`;
}
