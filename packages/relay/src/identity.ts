import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePem, ManypathError, selfSignedCertificate } from '@manypath/core';

/** What a relay is known by: the same after every restart. */
export interface RelayIdentity {
  /** What clients prove themselves with. */
  readonly secret: string;
  /** Private key and certificate, PEM. */
  readonly key: string;
  readonly cert: string;
  /** Base64url SHA-256 of the public key (SPKI); `undefined` with a certificate from an authority. */
  readonly pin: string | undefined;
}

/** Files of a certificate from an authority. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

/** The relay's own files cannot be used. */
export class RelayIdentityError extends ManypathError {
  constructor(file: string, cause: unknown) {
    super('MANYPATH_RELAY_IDENTITY', `${file} cannot be used`, {
      cause,
      hint: 'if it is damaged, remove it: a new one is made, and every client has to be paired again',
    });
  }
}

const day = 86_400_000;
/** Clients check the pin; the long life only spares programs that look at the dates. */
const certificateDays = 3650;
const renewalDays = 30;
const secretBytes = 24;

/**
 * Loads the relay's secret, key and certificate from its state folder, making what is missing.
 *
 * @param stateDir Only its owner may read it; files are written with mode 0600.
 * @param names Names and addresses that the certificate is for.
 * @throws RelayIdentityError `MANYPATH_RELAY_IDENTITY`
 */
export function loadIdentity(
  stateDir: string,
  names: readonly string[],
  files?: CertificateFiles,
): RelayIdentity {
  const folder = join(stateDir, 'relay');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const secret = keep(join(folder, 'secret'), isSecret, () => randomBytes(secretBytes).toString('base64url'));
  if (files !== undefined) return { secret, key: read(files.key), cert: read(files.cert), pin: undefined };
  const key = keep(join(folder, 'key.pem'), isKey, newKey);
  const isCurrent = (text: string) => certifies(text, key, names);
  const cert = keep(join(folder, 'cert.pem'), isCurrent, () => newCertificate(key, names), 'renew');
  return { secret, key, cert, pin: pinOf(createPublicKey(key)) };
}

/** Base64url SHA-256 of a public key's SubjectPublicKeyInfo. */
export function pinOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

/** Reads a file, or writes it anew when it is missing, or when it is stale and may be renewed. */
function keep(file: string, isGood: (text: string) => boolean, make: () => string, stale?: 'renew'): string {
  const kept = readIfThere(file);
  if (kept !== undefined) {
    if (isGood(kept)) return kept;
    if (stale !== 'renew') throw new RelayIdentityError(file, new Error('its content is damaged'));
  }
  const made = make();
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, made, { mode: 0o600 });
  renameSync(draft, file);
  return made;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new RelayIdentityError(file, error);
  }
}

function read(file: string): string {
  const text = readIfThere(file);
  if (text === undefined) throw new RelayIdentityError(file, new Error('there is no such file'));
  return text;
}

function isSecret(text: string): boolean {
  return /^[A-Za-z0-9_-]{22,128}$/.test(text);
}

function isKey(text: string): boolean {
  try {
    return createPrivateKey(text).asymmetricKeyType === 'ec';
  } catch {
    return false;
  }
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

/** Whether a certificate is for this key and these names, and will be for a while. */
function certifies(text: string, key: string, names: readonly string[]): boolean {
  try {
    const certificate = new X509Certificate(text);
    const remaining = Date.parse(certificate.validTo) - Date.now();
    const forKey = certificate.checkPrivateKey(createPrivateKey(key));
    const covered = names.every(name => certificate.checkHost(name) ?? certificate.checkIP(name));
    return forKey && covered && remaining > renewalDays * day;
  } catch {
    return false;
  }
}

function newCertificate(key: string, names: readonly string[]): string {
  const der = selfSignedCertificate({
    commonName: 'Manypath relay',
    altNames: names,
    notBefore: new Date(Date.now() - day),
    notAfter: new Date(Date.now() + certificateDays * day),
    serialNumber: randomBytes(16),
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: bytes => sign('sha256', bytes, key),
  });
  return encodePem('CERTIFICATE', der);
}
