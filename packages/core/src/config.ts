import * as v from 'valibot';
import { type Authority, isHostName, parseAuthority, parseListen } from './authority.ts';
import { closestName } from './closest-name.ts';
import { ManypathError } from './errors.ts';
import { parseCidr } from './ip-address.ts';
import { coreLimits } from './limits.ts';
import { parsePairing } from './pairing.ts';
import { parseSize } from './size.ts';
import { isGrantHost, isOrigin, type StreamGrant } from './streams/stream-grants.ts';

/** The configuration file cannot be used. */
export class ConfigInvalidError extends ManypathError {
  /** Where it is wrong, e.g. `paths.wlan0.tier`; empty when it is about the whole. */
  readonly key: string;

  constructor(key: string, reason: string, { file = '', cause }: { file?: string; cause?: unknown } = {}) {
    const what = file === '' ? 'the configuration' : `the configuration ${file}`;
    super('MANYPATH_CONFIG_INVALID', `${what} is wrong${key === '' ? '' : ` at ${key}`}: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
      hint: 'docs/CONFIG.md has every key with an example',
    });
    this.key = key;
  }
}

/** Longest time that timers of JavaScript take, in milliseconds: with a longer one they fire at once. */
const longestMs = 2_147_483_647;

/** A count, or a time in milliseconds. */
const limit = v.pipe(
  v.number('it must be a number'),
  v.safeInteger('it must be a whole number'),
  v.minValue(1, 'it must be at least 1'),
);

const object = v.custom<Record<string, unknown>>(
  input => typeof input === 'object' && input !== null && !Array.isArray(input),
  'it must be an object, {…}',
);
const unknownKey = ({ expected }: { expected: string | null }): string =>
  expected === 'never' ? 'there is no such key' : 'it is missing';

const text = v.string('it must be a text');

const tier = v.picklist(
  ['primary', 'secondary', 'backup', 'never'],
  'it must be "primary", "secondary", "backup" or "never"',
);

const resetDay = v.pipe(
  v.number('it must be a number'),
  v.integer('it must be a whole number'),
  v.minValue(1, 'it must be a day of the month, 1 to 31'),
  v.maxValue(31, 'it must be a day of the month, 1 to 31'),
);
const size = v.lazy(input => (typeof input === 'string' ? readableBy(parseSize) : bytes));
const bytes = v.pipe(
  v.number('it must be a size like "500 MB", or a number of bytes'),
  v.safeInteger('it must be a whole number of bytes'),
  v.minValue(1, 'it must be at least one byte'),
);

const tierAndMore = v.pipe(
  object,
  v.strictObject(
    {
      tier: v.exactOptional(tier),
      dailyCap: v.exactOptional(size),
      monthlyCap: v.exactOptional(size),
      resetDay: v.exactOptional(resetDay),
      atCap: v.exactOptional(v.picklist(['backup', 'never'], 'it must be "backup" or "never"')),
    },
    unknownKey,
  ),
);
const path = v.lazy(input => (typeof input === 'string' ? tier : tierAndMore));

const kinds = ['ethernet', 'wifi', 'cellular', 'usb', 'virtual', 'unknown'];
const pathKey = v.pipe(
  text,
  v.check(
    isPathKey,
    `it must be the name of an interface, or one of ${kinds.map(kind => `kind:${kind}`).join(', ')}`,
  ),
);

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

const rule = v.pipe(
  object,
  v.strictObject(
    {
      host: v.pipe(
        text,
        v.check(
          host => host === '*' || isPlace(host),
          'it must be a host name, *.domain, an address, a network like 10.0.0.0/8, or * for all',
        ),
      ),
      route: v.exactOptional(
        v.picklist(['straight', 'relay', 'tcp'], 'it must be "straight", "relay" or "tcp"'),
      ),
      paths: v.exactOptional(
        v.pipe(
          v.array(pathKey, 'it must be a list of names of interfaces'),
          v.minLength(1, 'it must name one path at least'),
          v.maxLength(coreLimits.configEntries, `it may have ${coreLimits.configEntries} entries at most`),
        ),
      ),
    },
    unknownKey,
  ),
  v.check(
    ({ route, paths }) => route !== undefined || paths !== undefined,
    'it must have a "route", "paths", or both',
  ),
);

const probe = v.pipe(
  object,
  v.strictObject(
    {
      target: v.exactOptional(
        v.lazy(input => (input === 'relay' || input === 'gateway' ? text : readableBy(parseAuthority))),
      ),
      portalCheck: v.exactOptional(
        v.lazy(input =>
          input === false
            ? v.literal(false)
            : v.pipe(
                v.string('it must be an http:// address, or false'),
                v.check(isPlainUrl, 'it must be an http:// address, or false'),
              ),
        ),
      ),
    },
    unknownKey,
  ),
);

const origin = v.pipe(text, v.check(isOrigin, 'it must be the origin of a page like https://app.example'));
const port = v.pipe(
  v.number('it must be a number'),
  v.integer('it must be a whole number'),
  v.minValue(1, 'it must be a port, 1 to 65535'),
  v.maxValue(65_535, 'it must be a port, 1 to 65535'),
);
const entries = <Item>(items: readonly Item[]): boolean => items.length <= coreLimits.configEntries;
const tooMany = `it may have ${coreLimits.configEntries} entries at most`;

const streams = v.pipe(
  object,
  v.strictObject(
    {
      allow: v.exactOptional(
        v.pipe(
          v.array(
            v.pipe(
              object,
              v.strictObject(
                {
                  origin,
                  host: v.pipe(text, v.check(isGrantHost, 'it must be a host name, an address or *.domain')),
                  port,
                  local: v.exactOptional(v.boolean('it must be true or false')),
                },
                unknownKey,
              ),
            ),
            'it must be a list',
          ),
          v.check(entries, tooMany),
        ),
      ),
      programs: v.exactOptional(
        v.pipe(
          object,
          v.record(
            v.pipe(
              text,
              v.regex(/^[\w.-]{1,64}$/, 'a program has a name of letters, digits, "_", "-" and "."'),
            ),
            v.pipe(
              object,
              v.strictObject(
                {
                  command: v.pipe(
                    v.array(text, 'it must be a list: the program and its arguments'),
                    v.minLength(1, 'it must name the program'),
                    v.check(entries, tooMany),
                  ),
                  origins: v.pipe(v.array(origin, 'it must be a list of origins'), v.check(entries, tooMany)),
                },
                unknownKey,
              ),
            ),
          ),
        ),
      ),
    },
    unknownKey,
  ),
);

const schema = v.pipe(
  object,
  v.strictObject(
    {
      relay: v.exactOptional(readableBy(parsePairing)),
      listen: v.exactOptional(readableBy(text => parseListen(text, defaultListen))),
      failover: v.exactOptional(v.picklist(['refuse', 'straight'], 'it must be "refuse" or "straight"')),
      paths: v.exactOptional(v.pipe(object, v.record(pathKey, path))),
      rules: v.exactOptional(
        v.pipe(
          v.array(rule, 'it must be a list'),
          v.maxLength(coreLimits.configEntries, `it may have ${coreLimits.configEntries} entries at most`),
        ),
      ),
      local: v.exactOptional(places),
      straight: v.exactOptional(places),
      bypass: v.exactOptional(places),
      probe: v.exactOptional(probe),
      streams: v.exactOptional(streams),
      limits: v.exactOptional(
        v.pipe(
          object,
          v.record(text, limit),
          v.check(
            limits =>
              Object.entries(limits).every(([name, value]) => !name.endsWith('Ms') || value <= longestMs),
            `a time may be ${longestMs} ms at most`,
          ),
        ),
      ),
    },
    unknownKey,
  ),
);

/** What a user allows a path. */
export type PathTier = v.InferOutput<typeof tier>;

/** What a user says about one path, or about all paths of a kind. */
export interface PathConfig {
  /** Default: decided by the kind of the path. */
  readonly tier?: PathTier;
  /** Most that Manypath may carry over it from midnight to midnight, in and out together. Default: no cap. */
  readonly dailyCapBytes?: number;
  /** The same from one reset day to the next. Default: no cap. */
  readonly monthlyCapBytes?: number;
  /** Day of the month on which its month begins; the last day in months that are shorter. Default: 1. */
  readonly resetDay?: number;
  /** Its tier once a cap is reached. Default: `backup`, so that it still stands in when nothing else is left. */
  readonly atCap?: 'backup' | 'never';
}

/** How connections to some hosts leave; the first rule that fits holds. */
export interface RuleConfig {
  /** A host name, `*.domain`, an address, a network like `10.0.0.0/8`, or `*` for all. */
  readonly host: string;
  /** `straight`: not by the relay; `relay`: by it; `tcp`: plain TCP on one path. Default: as without the rule. */
  readonly route?: 'straight' | 'relay' | 'tcp';
  /** Use only these paths: names, or `kind:…`. Default: all. */
  readonly paths?: readonly string[];
}

/** How paths are tried when there is doubt whether they work. */
export interface ProbeConfig {
  /** `relay`, `gateway` (the router of the path), or `host:port` of a TCP service. Default: the relay, else the gateway. */
  readonly target?: string;
  /** An `http://` address that answers 204 to whoever is not behind a captive portal; `false`: never asked. */
  readonly portalCheck?: string | false;
}

/** What web pages may do with streams, besides what the user was asked. */
export interface StreamsConfig {
  readonly allow?: readonly StreamGrant[];
  /** By names that pages know them by. */
  readonly programs?: Readonly<
    Record<string, { readonly command: readonly string[]; readonly origins: readonly string[] }>
  >;
}

/** Where a gateway's proxy port is unless somebody says otherwise. */
export const defaultListen: Authority = { host: '127.0.0.1', port: 8118 };

/** The configuration file: JSON, every key optional, unknown keys refused. See docs/CONFIG.md. */
export interface Config {
  /** Pairing URL of the relay, or `https://user:password@host:port` of another proxy. */
  readonly relay?: string;
  /** Where the gateway's proxy port is, `127.0.0.1:8118`. */
  readonly listen?: string;
  /** What happens to new connections while the relay is away: an error (default), or straight, over one path each. */
  readonly failover?: 'refuse' | 'straight';
  /**
   * By the name of the path (`wlan0`), or `kind:cellular` for all paths of a kind, where what is said of a name goes
   * first; a tier alone stands for `{"tier": …}`.
   */
  readonly paths?: Readonly<Record<string, PathConfig>>;
  readonly rules?: readonly RuleConfig[];
  /** Names and networks that only this host's network knows: never asked of the relay. */
  readonly local?: readonly string[];
  /** Names and networks that are reached without the relay, unless a rule says otherwise. */
  readonly straight?: readonly string[];
  /** Names and networks that never go by the relay, whatever the rules say. */
  readonly bypass?: readonly string[];
  readonly probe?: ProbeConfig;
  readonly streams?: StreamsConfig;
  /** Limits of the gateway by name, see docs/LIMITS.md. */
  readonly limits?: Readonly<Record<string, number>>;
}

/** Options of {@link parseConfig}. */
export interface ParseConfigOptions {
  readonly file?: string;
  readonly limits?: readonly string[];
}

/**
 * Reads a configuration file.
 *
 * @param options.file Its name, for messages.
 * @param options.limits The limits that there are. Default: any name is one.
 * @throws ConfigInvalidError `MANYPATH_CONFIG_INVALID`, with the first wrong key and what it must be
 */
export function parseConfig(text: string, { file, limits }: ParseConfigOptions = {}): Config {
  const about = file === undefined ? {} : { file };
  const written = json(text, about);
  const parsed = v.safeParse(schema, written, { abortEarly: true });
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new ConfigInvalidError(v.getDotPath(issue) ?? '', issue.message, about);
  }
  const { paths, ...rest } = parsed.output;
  if (limits !== undefined) {
    // As written: names like `constructor` do not get through the schema.
    const names = Object.keys((written as { limits?: object }).limits ?? {});
    refuseUnknown(names, limits, about);
  }
  return paths === undefined ? rest : { ...rest, paths: fullPaths(paths) };
}

function refuseUnknown(names: readonly string[], known: readonly string[], about: { file?: string }): void {
  const unknown = names.find(name => !known.includes(name));
  if (unknown === undefined) return;
  const likely = closestName(unknown, known);
  const reason = `there is no such limit${likely === undefined ? '' : `; did you mean ${likely}?`}`;
  throw new ConfigInvalidError(`limits.${unknown}`, reason, about);
}

type PathInFile = v.InferOutput<typeof tier> | v.InferOutput<typeof tierAndMore>;

function fullPaths(paths: Record<string, PathInFile>): Record<string, PathConfig> {
  return Object.fromEntries(
    Object.entries(paths).map(([name, value]) => [
      name,
      typeof value === 'string' ? { tier: value } : fullPath(value),
    ]),
  );
}

function fullPath({ dailyCap, monthlyCap, ...rest }: v.InferOutput<typeof tierAndMore>): PathConfig {
  return {
    ...rest,
    ...(dailyCap === undefined ? {} : { dailyCapBytes: bytesOf(dailyCap) }),
    ...(monthlyCap === undefined ? {} : { monthlyCapBytes: bytesOf(monthlyCap) }),
  };
}

function bytesOf(size: string | number): number {
  return typeof size === 'string' ? parseSize(size) : size;
}

function json(text: string, about: { file?: string }): unknown {
  if (text.length > coreLimits.configCharacters) {
    throw new ConfigInvalidError('', `it is longer than ${coreLimits.configCharacters} characters`, about);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigInvalidError('', 'it is not JSON', { ...about, cause: error });
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

/** Interfaces have names of 15 bytes at most, without slash, colon and white space (dev_valid_name of the kernel). */
function isPathKey(text: string): boolean {
  if (text.startsWith('kind:')) return kinds.includes(text.slice('kind:'.length));
  return /^[^\s/:]{1,15}$/.test(text) && text !== '.' && text !== '..';
}

/** `types: []` has no URL class, and only the plainest form is wanted. */
function isPlainUrl(text: string): boolean {
  const match = /^http:\/\/([^/?#@]+)(\/[!-~]*)?$/.exec(text);
  if (match === null) return false;
  try {
    parseAuthority(match[1] ?? '', 80);
    return true;
  } catch {
    return false;
  }
}

function isPlace(text: string): boolean {
  return parseCidr(text) !== undefined || isHostName(text.replace(/^\*\./, ''));
}
