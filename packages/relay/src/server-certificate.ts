import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ManypathError } from '@manypath/core';
import { type KeyAndCertificate, ownCertificate, type RelayIdentity } from './identity.ts';

/** Files of a certificate that an authority has issued, PEM. */
export interface CertificateFiles {
  /** The certificate, followed by its chain. */
  readonly cert: string;
  readonly key: string;
}

/** The files of a certificate cannot be used (`MANYPATH_RELAY_CERTIFICATE`). */
export class RelayCertificateError extends ManypathError {
  constructor(file: string, cause: unknown) {
    super('MANYPATH_RELAY_CERTIFICATE', `the certificate in ${file} cannot be used`, {
      cause,
      hint: 'give a PEM file with the certificate and its chain, and the PEM file of its private key',
    });
  }
}

/** Where the relay's certificate comes from. */
export interface ServerCertificate {
  /** What clients are to pin; `undefined` where they can trust the certificate's authority. */
  readonly pin: string | undefined;
  /** The certificate to use from now on; asked now and then, since it may be another one. */
  load(): KeyAndCertificate;
}

/** The relay's own certificate: renewed in good time, with the same key. */
export class SelfMadeCertificate implements ServerCertificate {
  readonly #folder: string;
  readonly #identity: RelayIdentity;
  readonly #names: readonly string[];

  constructor(folder: string, identity: RelayIdentity, names: readonly string[]) {
    this.#folder = folder;
    this.#identity = identity;
    this.#names = names;
  }

  get pin(): string {
    return this.#identity.pin;
  }

  /** @throws RelayIdentityError `MANYPATH_RELAY_IDENTITY` */
  load(): KeyAndCertificate {
    return ownCertificate(this.#folder, this.#identity.key, this.#names);
  }
}

/** A certificate from an authority, in files that some other program replaces now and then. */
export class CertificateFromFiles implements ServerCertificate {
  readonly pin = undefined;
  readonly #files: CertificateFiles;

  constructor(files: CertificateFiles) {
    this.#files = files;
  }

  /** @throws RelayCertificateError `MANYPATH_RELAY_CERTIFICATE` */
  load(): KeyAndCertificate {
    try {
      const pair = {
        key: readFileSync(this.#files.key, 'utf8'),
        cert: readFileSync(this.#files.cert, 'utf8'),
      };
      if (new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key))) return pair;
    } catch (error) {
      throw new RelayCertificateError(this.#files.cert, error);
    }
    throw new RelayCertificateError(this.#files.cert, new Error('the key belongs to another certificate'));
  }
}
