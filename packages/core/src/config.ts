import * as v from 'valibot';
import { isHostName, parseAuthority } from './authority.ts';
import { ManypathError } from './errors.ts';
import { parseCidr } from './ip-address.ts';
import { coreLimits } from './limits.ts';
import { parsePairing } from './pairing.ts';

/** The configuration file cannot be used. */
export class ConfigInvalidError extends ManypathError {
  /** Where it is wrong, e.g. `paths.wlan0.tier`; empty when it is about the whole. */
  readonly key: string;

  constructor(key: string, reason: string, cause?: unknown) {
    super(
      'MANYPATH_CONFIG_INVALID',
      `the configuration is wrong${key === '' ? '' : ` at ${key}`}: ${reason}`,
      {
        ...(cause === undefined ? {} : { cause }),
      },
    );
    this.key = key;
  }
}

const positive = v.pipe(
  v.number('it must be a number'),
  v.finite('it must be finite'),
  v.minValue(Number.MIN_VALUE, 'it must be more than 0'),
);

const object = v.custom<Record<string, unknown>>(
  input => typeof input === 'object' && input !== null && !Array.isArray(input),
  'it must be an object, {…}',
);
const unknownKey = 'there is no such key';

const text = v.string('it must be a text');

const tier = v.picklist(
  ['primary', 'secondary', 'backup', 'never'],
  'it must be "primary", "secondary", "backup" or "never"',
);

const tierAndMore = v.pipe(
  object,
  v.strictObject({ tier: v.exactOptional(tier), capMbit: v.exactOptional(positive) }, unknownKey),
);
const path = v.lazy(input => (typeof input === 'string' ? tier : tierAndMore));

const places = v.pipe(
  v.array(
    v.pipe(
      text,
      v.check(isPlace, 'it must be a host name, *.domain, an address or a network like 10.0.0.0/8'),
    ),
    'it must be a list',
  ),
  v.maxLength(coreLimits.configEntries, `it may have ${coreLimits.configEntries} entries at most`),
);

const schema = v.pipe(
  object,
  v.strictObject(
    {
      relay: v.exactOptional(readableBy(parsePairing)),
      listen: v.exactOptional(readableBy(parseAuthority)),
      paths: v.exactOptional(v.pipe(object, v.record(text, path))),
      local: v.exactOptional(places),
      straight: v.exactOptional(places),
      limits: v.exactOptional(v.pipe(object, v.record(text, positive))),
    },
    unknownKey,
  ),
);

/** What a user allows a path. */
export type PathTier = v.InferOutput<typeof tier>;

/** What a user says about one path. */
export interface PathConfig {
  /** Default: decided by the kind of the path. */
  readonly tier?: PathTier;
  /** Most that may be sent over it, in Mbit/s. Default: no cap. */
  readonly capMbit?: number;
}

/** The configuration file: JSON, every key optional, unknown keys refused. */
export interface Config {
  /** Pairing URL of the relay, or `https://user:password@host:port` of another proxy. */
  readonly relay?: string;
  /** Where the gateway's proxy port is, `127.0.0.1:8118`. */
  readonly listen?: string;
  /** By the name of the path (`wlan0`); a tier alone stands for `{"tier": …}`. */
  readonly paths?: Readonly<Record<string, PathConfig>>;
  /** Names and networks that only this host's network knows: never asked of the relay. */
  readonly local?: readonly string[];
  /** Names and networks that are reached without the relay. */
  readonly straight?: readonly string[];
  /** Limits of the gateway by name, see docs/LIMITS.md. */
  readonly limits?: Readonly<Record<string, number>>;
}

/**
 * Reads a configuration file.
 *
 * @throws ConfigInvalidError `MANYPATH_CONFIG_INVALID`, with the first wrong key and what it must be
 */
export function parseConfig(text: string): Config {
  const parsed = v.safeParse(schema, json(text), { abortEarly: true });
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new ConfigInvalidError(v.getDotPath(issue) ?? '', issue.message);
  }
  const { paths, ...rest } = parsed.output;
  return paths === undefined ? rest : { ...rest, paths: fullPaths(paths) };
}

function fullPaths(paths: Record<string, PathTier | PathConfig>): Record<string, PathConfig> {
  return Object.fromEntries(
    Object.entries(paths).map(([name, value]) => [name, typeof value === 'string' ? { tier: value } : value]),
  );
}

function json(text: string): unknown {
  if (text.length > coreLimits.configCharacters) {
    throw new ConfigInvalidError('', `it is longer than ${coreLimits.configCharacters} characters`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigInvalidError('', 'it is not JSON', error);
  }
}

/** A text that a parser of this room takes; the parser says what is wrong with another. */
function readableBy(parse: (text: string) => unknown) {
  return v.pipe(
    text,
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      try {
        parse(dataset.value);
      } catch (error) {
        addIssue({ message: error instanceof Error ? error.message : String(error) });
      }
    }),
  );
}

function isPlace(text: string): boolean {
  return parseCidr(text) !== undefined || isHostName(text.replace(/^\*\./, ''));
}
