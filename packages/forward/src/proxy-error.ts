import { STATUS_CODES } from 'node:http';
import { errorCode, errorMessage, type HeaderField, ManypathError } from '@manypath/core';

/** A refusal that a proxy client is to see, with the HTTP status that says it best. */
export class ProxyRefusal extends ManypathError {
  /** An HTTP status from 400 on. */
  readonly status: number;
  /** Header fields that the status calls for, e.g. Proxy-Authenticate. */
  readonly headers: readonly HeaderField[];

  constructor(
    status: number,
    code: string,
    message: string,
    options: { cause?: unknown; hint?: string; headers?: readonly HeaderField[] } = {},
  ) {
    super(code, message, options);
    this.status = status;
    this.headers = options.headers ?? [];
  }
}

/** Which status says best that a target could not be dialled, by the code of the error; RFC 9110 §15.6. */
const statusByCode: Record<string, number> = {
  MPTCP_CONNECT_TIMEOUT: 504,
  ETIMEDOUT: 504,
  MANYPATH_AUTHORITY_INVALID: 400,
  MANYPATH_HTTP_HEAD_INVALID: 400,
};

/** The HTTP status that an error is answered with: its own, or 502 when the way to the target failed. */
export function statusOf(error: unknown): number {
  if (typeof error === 'object' && error !== null && 'status' in error) {
    const { status } = error;
    if (typeof status === 'number' && status >= 400 && status <= 599) return status;
  }
  return statusByCode[errorCode(error) ?? ''] ?? 502;
}

/** A response that explains an error. */
export interface ErrorResponse {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly HeaderField[];
  readonly body: string;
}

/**
 * Makes the response to a request that failed: a short page for browsers, plain text for programs.
 *
 * @param accept The Accept field of the request.
 */
export function errorResponse(error: unknown, accept = ''): ErrorResponse {
  const status = statusOf(error);
  const reason = STATUS_CODES[status] ?? 'Error';
  const html = accept.includes('text/html');
  const body = html ? errorPage(status, reason, error) : errorText(error);
  const code = errorCode(error) ?? 'ERROR';
  const headers: HeaderField[] = [
    ['Content-Type', html ? 'text/html; charset=utf-8' : 'text/plain; charset=utf-8'],
    ['Content-Length', String(Buffer.byteLength(body))],
    ['Cache-Control', 'no-store'],
    // RFC 9209 has a proxy say in this field what went wrong with the next hop.
    ['Proxy-Status', `manypath; error=${proxyStatusToken(status)}; details="${code}"`],
    ...(error instanceof ProxyRefusal ? error.headers : []),
  ];
  return { status, reason, headers, body };
}

function errorText(error: unknown): string {
  const lines = [`${sentence(error)} [${errorCode(error) ?? 'ERROR'}]`];
  const hint = hintOf(error);
  if (hint !== undefined) lines.push(hint);
  return `${lines.join('\n')}\n`;
}

function errorPage(status: number, reason: string, error: unknown): string {
  const hint = hintOf(error);
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>${status} ${reason}</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}
h1{font-size:1.5rem}code{opacity:.7}</style>
<h1>${reason}</h1>
<p>${escapeHtml(sentence(error))}</p>
${hint === undefined ? '' : `<p>${escapeHtml(hint)}</p>`}
<p><code>${escapeHtml(errorCode(error) ?? 'ERROR')}</code> from Manypath</p>
</html>
`;
}

/** Only what was meant for people is shown; an unforeseen error could name what a client should not see. */
function sentence(error: unknown): string {
  return errorCode(error) === undefined ? 'The request could not be carried out.' : errorMessage(error);
}

function hintOf(error: unknown): string | undefined {
  return ManypathError.is(error) ? error.hint : undefined;
}

function proxyStatusToken(status: number): string {
  if (status === 504) return 'connection_timeout';
  if (status === 403) return 'destination_ip_prohibited';
  if (status === 503) return 'connection_limit_reached';
  return status < 500 ? 'http_request_error' : 'destination_unavailable';
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
