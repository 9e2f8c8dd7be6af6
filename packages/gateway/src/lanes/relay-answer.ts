import { RelayRefusedError, RelayTargetError } from '../errors.ts';

/** What a proxy answered to CONNECT. */
export interface RelayAnswer {
  readonly status: number;
  /** The beginning of the body; a Manypath relay writes a sentence. */
  readonly body: string;
}

/**
 * What the answer to a tunnel means.
 *
 * @returns The error, or `undefined` when the tunnel is open.
 */
export function tunnelFailure({ status, body }: RelayAnswer, relay: string): Error | undefined {
  if (status >= 200 && status < 300) return undefined;
  const refusal = refusalOf(status, relay);
  if (refusal !== undefined) return refusal;
  // Anything that a proxy may say is a gateway's 502 for the client, but for what the client can act on.
  const passedOn = status === 403 || status === 503 || status === 504 ? status : 502;
  return new RelayTargetError(passedOn, sentence(body) ?? `it answered ${status}`);
}

/** What the answer to a probe means: `undefined` when the relay takes this gateway. */
export function refusalOf(status: number, relay: string): RelayRefusedError | undefined {
  if (status === 407 || status === 401) return new RelayRefusedError(relay, 'the secret is wrong');
  if (status === 404 || status === 405 || status === 501) {
    return new RelayRefusedError(relay, `it is no proxy: it answered ${status} to CONNECT`);
  }
  return undefined;
}

/** The first line of a plain text body. */
function sentence(body: string): string | undefined {
  const line = body.trim().split('\n', 1)[0]?.trim() ?? '';
  // What a terminal could take for a command is left out.
  return line === '' || line.startsWith('<') ? undefined : line.replaceAll(/\p{Cc}/gu, '').slice(0, 200);
}
