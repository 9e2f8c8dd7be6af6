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
import { join } from 'node:path';
import { encodePem, errorCode, errorMessage, ManypathError, selfSignedCertificate } from '@manypath/core';
import { createFile, privateFolder, readPrivateFile, replaceFile } from '@manypath/files';

/** What a relay is known by: the same after every restart. */
export interface RelayIdentity {
  /** What clients prove themselves with: 192 random bits, base64url. */
  readonly secret: string;
  /** Private key of the self-made certificate, PEM. */
  readonly key: string;
  /** Base64url SHA-256 of its public key (SPKI). */
  readonly pin: string;
}

/** Private key and certificate chain, PEM. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

/** Marks a file that was read and says nothing sensible. */
const damaged = 'EBADMSG';

/** The relay's own files cannot be used (`MANYPATH_RELAY_IDENTITY`). */
export class RelayIdentityError extends ManypathError {
  constructor(file: string, cause: unknown) {
    super('MANYPATH_RELAY_IDENTITY', `${file} cannot be used: ${errorMessage(cause)}`, {
      cause,
      hint: hintFor(errorCode(cause) ?? '', file),
    });
  }
}

/** Whatever keeps a sound file from being read or written, removing it would only lose the pairing. */
function hintFor(code: string, file: string): string {
  if (['ENOSPC', 'EDQUOT'].includes(code))
    return 'make room on that disk and start again; the pairing stays as it is';
  if (code === 'EROFS')
    return 'that disk is read-only: mount it for writing, or name another folder with --state DIR';
  if (['EACCES', 'EPERM'].includes(code))
    return 'start it as the user whom that folder belongs to, or name another folder with --state DIR';
  if (code === damaged)
    return `put back a copy of ${file}, or remove it: a new one is made, and every client has to be paired again`;
  return 'see to it that this folder can be read and written, or name another one with --state DIR';
}

const day = 86_400_000;
/** Clients check the pin; the long life only spares programs that look at the dates. */
const certificateDays = 3650;
const renewalDays = 30;
const secretBytes = 24;

/**
 * Loads the relay's secret and key from its folder, making what is missing.
 *
 * @param folder Only its owner may read it (0700); files have mode 0600.
 * @throws RelayIdentityError `MANYPATH_RELAY_IDENTITY`
 */
export function loadIdentity(folder: string): RelayIdentity {
  try {
    privateFolder(folder);
  } catch (error) {
    throw new RelayIdentityError(folder, error);
  }
  const secret = keep(join(folder, 'secret'), isSecret, () => randomBytes(secretBytes).toString('base64url'));
  const key = keep(join(folder, 'key.pem'), isKey, newKey);
  return { secret, key, pin: pinOf(createPublicKey(key)) };
}

/**
 * The self-made certificate of a key: the one that is kept while it is good for these names and will be for 30 days, else a
 * new one of the same key, so that the pin stays.
 *
 * @throws RelayIdentityError `MANYPATH_RELAY_IDENTITY`
 */
export function ownCertificate(folder: string, key: string, names: readonly string[]): KeyAndCertificate {
  const file = join(folder, 'cert.pem');
  const kept = attempt(file, () => readPrivateFile(file));
  if (kept !== undefined && certifies(kept, key, names)) return { key, cert: kept };
  const cert = newCertificate(key, names);
  attempt(file, () => replaceFile(file, cert, { durable: true }));
  return { key, cert };
}

/** Base64url SHA-256 of a public key's SubjectPublicKeyInfo. */
export function pinOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

/** Reads a file that is never replaced, or makes it when it is missing. */
function keep(file: string, isGood: (text: string) => boolean, make: () => string): string {
  const made = attempt(file, () => {
    const fresh = readPrivateFile(file) === undefined ? make() : undefined;
    return fresh !== undefined && createFile(file, fresh, { durable: true }) ? fresh.trim() : undefined;
  });
  // Another relay that started at the same time may have made it.
  const kept = made ?? attempt(file, () => readPrivateFile(file))?.trim();
  if (kept === undefined || !isGood(kept))
    throw new RelayIdentityError(file, Object.assign(new Error('its content is damaged'), { code: damaged }));
  return kept;
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new RelayIdentityError(file, error);
  }
}

function isSecret(text: string): boolean {
  return /^[A-Za-z0-9_-]{22,128}$/.test(text);
}

function isKey(text: string): boolean {
  try {
    const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(text);
    return asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1';
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
    const begun = Date.parse(certificate.validFrom) <= Date.now();
    const forKey = certificate.checkPrivateKey(createPrivateKey(key));
    const covered = names.every(name => certificate.checkHost(name) ?? certificate.checkIP(name));
    return begun && forKey && covered && remaining > renewalDays * day;
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
    serialNumber: positiveSerialNumber(),
    publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
    sign: bytes => sign('sha256', bytes, key),
  });
  return encodePem('CERTIFICATE', der);
}

/** RFC 5280 §4.1.2.2: positive, and the shortest form of a number, so its first byte is neither 0 nor over 0x7f. */
function positiveSerialNumber(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}
