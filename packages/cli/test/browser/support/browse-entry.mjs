/** `manypath browse` over the stand-in gateway, for tests that need it as a process of its own. */
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { browse } from '../../../dist/browser/index.js';
import { startStandInGateway } from './stand-in-gateway.mjs';

const separator = process.argv.indexOf('--');
const own = process.argv.slice(2, separator < 0 ? undefined : separator);
const { values, positionals } = parseArgs({
  args: own,
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

const gateway = await startStandInGateway({ hosts: JSON.parse(process.env.STAND_IN_HOSTS ?? '{}') });
const say = word => (_fields, message) => process.stderr.write(`manypath: ${word}${message}\n`);
const events = {
  enabled: values.json === true,
  emit: event => values.json && process.stdout.write(`${JSON.stringify(event)}\n`),
};
try {
  process.exitCode = await browse({
    gateway,
    stateDir: values.state ?? tmpdir(),
    url: positionals[0],
    headless: values.headless,
    isolate: !values['no-isolate'],
    profile: values.profile,
    browser: values.browser,
    localNames: values['local-name'],
    chromiumArguments: separator < 0 ? [] : process.argv.slice(separator + 1),
    logger: { info: say(''), warn: say('warning: ') },
    events,
    limits: values['shutdown-ms'] === undefined ? {} : { browserShutdownMs: Number(values['shutdown-ms']) },
  });
} catch (error) {
  process.stderr.write(`${error.stack}\n${error.cause?.message ?? ''}\n`);
  process.exitCode = 1;
} finally {
  gateway.close();
  if (process.env.STAND_IN_TARGETS) process.stderr.write(`targets: ${gateway.targets.join(' ')}\n`);
}
