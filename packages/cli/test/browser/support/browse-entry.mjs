/** `manypath browse` without what surrounds it in the command line program: the gateway and the browser alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Gateway } from '@manypath/gateway';
import { browse } from '../../../dist/browser/index.js';

const separator = process.argv.indexOf('--');
const { values, positionals } = parseArgs({
  args: process.argv.slice(2, separator < 0 ? undefined : separator),
  allowPositionals: true,
  options: {
    headless: { type: 'boolean' },
    json: { type: 'boolean' },
    'no-isolate': { type: 'boolean' },
    profile: { type: 'string' },
    browser: { type: 'string' },
    state: { type: 'string' },
    'shutdown-ms': { type: 'string' },
    'local-name': { type: 'string', multiple: true },
  },
});

const localNames = values['local-name'] ?? [];
const gatewayState = mkdtempSync(join(values.state ?? tmpdir(), 'gateway-'));
const gateway = await Gateway.start({
  listen: { host: '127.0.0.1', port: 0 },
  stateDir: gatewayState,
  protectLocal: true,
  straightPort: true,
  localNames,
});
const say = word => (_fields, message) => process.stderr.write(`manypath: ${word}${message}\n`);
const emit = event => values.json && process.stdout.write(`${JSON.stringify(event)}\n`);
try {
  process.exitCode = await browse({
    gateway,
    stateDir: values.state ?? gatewayState,
    url: positionals[0],
    headless: values.headless,
    isolate: !values['no-isolate'],
    profile: values.profile,
    browser: values.browser,
    localNames,
    chromiumArguments: separator < 0 ? [] : process.argv.slice(separator + 1),
    logger: { debug: () => {}, info: say(''), warn: say('warning: ') },
    events: { enabled: values.json === true, emit },
    limits: values['shutdown-ms'] === undefined ? {} : { browserShutdownMs: Number(values['shutdown-ms']) },
  });
} catch (error) {
  process.stderr.write(`${error.stack}\n${error.cause?.message ?? ''}\n`);
  process.exitCode = 1;
} finally {
  await gateway.close();
  rmSync(gatewayState, { recursive: true, force: true });
}
