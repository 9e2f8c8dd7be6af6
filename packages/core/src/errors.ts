/** What every Manypath error may carry besides its message. */
export interface ManypathErrorOptions {
  /** What went wrong underneath, kept for logs and debuggers. */
  cause?: unknown;
  /** One sentence that tells a person what to do about it. */
  hint?: string;
}

const brand: unique symbol = Symbol.for('manypath.error') as never;

/**
 * The root of every error Manypath throws on purpose.
 *
 * Match on `code`, never on the message: codes are stable and listed in docs/ERRORS.md. Rooms derive one
 * class per failure they own and fix its code there.
 */
export class ManypathError extends Error {
  /** Stable upper-case identifier, e.g. `MANYPATH_RELAY_AWAY`. */
  readonly code: string;
  /** What a person can do about it, when there is something. */
  readonly hint: string | undefined;
  /** Marks instances across duplicate copies of this module, where `instanceof` fails. */
  readonly [brand] = true;

  constructor(code: string, message: string, options: ManypathErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
  }

  /** Whether `value` is a Manypath error, also one made by another copy of this package. */
  static is(value: unknown): value is ManypathError {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** The `code` of any error-like value, or `undefined`: Node's system errors and ours look alike here. */
export function errorCode(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('code' in value)) return undefined;
  return typeof value.code === 'string' ? value.code : undefined;
}

/** The message of any thrown value, for a line of log. */
export function errorMessage(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}
