/**
 * An origin as a process of its own, for a namespace of the lab:
 * `node origin-main.js [--host H] [--http N] [--https N] [--echo N] [--mptcp] [--key FILE --cert FILE] [--json]`.
 *
 * With --json it prints one line when it serves: `{"event":"ready","http":80,"https":443,"echo":7,"certificate":PEM}`.
 * It ends on SIGTERM, SIGINT, or when its stdin, if it is a pipe, closes with the process that started it.
 */
import { fstatSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { errorMessage } from '@manypath/core';
import { startOrigin } from './origin.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string' },
    http: { type: 'string', default: '80' },
    https: { type: 'string', default: '443' },
    echo: { type: 'string', default: '7' },
    mptcp: { type: 'boolean', default: false },
    key: { type: 'string' },
    cert: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

try {
  const origin = await startOrigin({
    ...(values.host === undefined ? {} : { host: values.host }),
    ports: { http: Number(values.http), https: Number(values.https), echo: Number(values.echo) },
    mptcp: values.mptcp,
    ...(values.key === undefined || values.cert === undefined
      ? {}
      : { tls: { key: readFileSync(values.key, 'utf8'), cert: readFileSync(values.cert, 'utf8') } }),
  });
  const { http, https, echo } = origin.ports;
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ event: 'ready', http, https, echo, certificate: origin.certificate })}\n`
      : `Serving HTTP on port ${http}, HTTPS on ${https}, echo on ${echo}\n`,
  );
  const stop = () => void origin.close().then(() => process.exit());
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (fstatSync(0).isFIFO()) process.stdin.resume().once('end', stop);
} catch (error) {
  process.stderr.write(`origin: ${errorMessage(error)}\n`);
  process.exitCode = 1;
}
