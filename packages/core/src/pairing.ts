import { type Authority, formatAuthority, parseAuthority } from './authority.ts';
import { decodeBase64Url } from './base64url.ts';
import { ManypathError } from './errors.ts';

/** How to reach and to trust a relay, or another standard proxy. */
export interface Pairing {
  readonly address: Authority;
  /** User of `Proxy-Authorization: Basic`; a Manypath relay knows only `manypath`. */
  readonly user: string;
  /** The secret, sent as the password. */
  readonly secret: string;
  /** Base64url SHA-256 of the server's public key (SPKI); without one its certificate must be a trusted one. */
  readonly pin: string | undefined;
  /** Whether the proxy is spoken to in TLS; only a foreign proxy may do without. */
  readonly secure: boolean;
  /** Whether it is a Manypath relay, which speaks TLS 1.3 only; another proxy may be older. */
  readonly isRelay: boolean;
}

/** A text that should pair with a relay does not. */
export class PairingInvalidError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_PAIRING_INVALID', `this is no pairing URL: ${reason}`, {
      hint: 'copy the whole line that `manypath relay` prints: manypath://SECRET@HOST:PORT?pin=…',
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The user name that Manypath relays expect. */
export const relayUser = 'manypath';

const defaultRelayPort = 8443;
const longestPairing = 2048;
const sha256Bytes = 32;
// biome-ignore lint/suspicious/noControlCharactersInRegex: Basic authentication cannot carry them; RFC 7617 §2
const controls = /[\u0000-\u001f\u007f]/;

/**
 * Reads `manypath://SECRET@HOST:PORT?pin=…`, or the URL of another proxy, `https://user:password@host:port`
 * (`http://` without TLS).
 *
 * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`
 */
export function parsePairing(text: string): Pairing {
  if (text.length > longestPairing) throw new PairingInvalidError('it is too long');
  const trimmed = text.trim();
  const match = /^(manypath|https|http):\/\/(?:([^@/?#]*)@)?([^@/?#]+)\/?(?:\?([^#]*))?$/i.exec(trimmed);
  if (match === null) throw new PairingInvalidError('it does not look like manypath://SECRET@HOST:PORT');
  const [, scheme = '', userInformation = '', address = '', query = ''] = match;
  return scheme.toLowerCase() === 'manypath'
    ? relayPairing(userInformation, address, query)
    : proxyPairing(scheme.toLowerCase(), userInformation, address, query);
}

/** Writes the pairing URL of a relay. */
export function formatPairing({ address, secret, pin }: Pick<Pairing, 'address' | 'secret' | 'pin'>): string {
  const query = pin === undefined ? '' : `?pin=${pin}`;
  return `manypath://${encodeURIComponent(secret)}@${formatAuthority(address)}${query}`;
}

function relayPairing(userInformation: string, address: string, query: string): Pairing {
  if (userInformation === '') throw new PairingInvalidError('the secret is missing');
  return {
    address: addressOf(address, defaultRelayPort),
    user: relayUser,
    secret: decode(userInformation),
    pin: pinOf(query),
    secure: true,
    isRelay: true,
  };
}

function proxyPairing(scheme: string, userInformation: string, address: string, query: string): Pairing {
  const colon = userInformation.indexOf(':');
  const [user, secret] =
    colon === -1
      ? [userInformation, '']
      : [userInformation.slice(0, colon), userInformation.slice(colon + 1)];
  if (decode(user).includes(':')) throw new PairingInvalidError('its user name has a colon');
  return {
    address: addressOf(address, scheme === 'https' ? 443 : 80),
    user: decode(user),
    secret: decode(secret),
    pin: pinOf(query),
    secure: scheme === 'https',
    isRelay: false,
  };
}

function addressOf(text: string, defaultPort: number): Authority {
  let address: Authority;
  try {
    address = parseAuthority(text, defaultPort);
  } catch (error) {
    throw new PairingInvalidError('its address cannot be read', error);
  }
  if (address.port === 0) throw new PairingInvalidError('nothing can be reached at port 0');
  return address;
}

function pinOf(query: string): string | undefined {
  const pin = /(?:^|&)pin=([^&]*)/.exec(query)?.[1];
  if (pin === undefined) return undefined;
  if (decodeBase64Url(pin)?.length !== sha256Bytes) throw new PairingInvalidError('its pin is damaged');
  return pin;
}

function decode(text: string): string {
  const decoded = decodePercent(text);
  if (controls.test(decoded)) throw new PairingInvalidError('its secret is damaged');
  return decoded;
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    throw new PairingInvalidError('its secret is damaged', error);
  }
}
