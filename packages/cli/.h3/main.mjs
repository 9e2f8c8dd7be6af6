import { parseArgs } from 'node:util';
import { join } from 'node:path';
if (process.argv[2] !== 'up') { await import('../dist/main.js'); } else {
const { values: o } = parseArgs({ args: process.argv.slice(3), options: { json: { type: 'boolean' }, listen: { type: 'string' }, relay: { type: 'string' }, state: { type: 'string' }, config: { type: 'string' } } });
const { Gateway } = await import('@manypath/gateway');
const { PathSet, Steward, DirectSteering, Tiers } = await import('@manypath/paths');
const { configPlace, loadConfig, watchConfig } = await import('../dist/config/index.js');
const { createLogger } = await import('../dist/terminal/log.js');
const { stateFolder } = await import('../dist/state-folder.js');
const logger = createLogger('debug', true);
const place = configPlace(o.config);
const stateDir = stateFolder(o.state);
const tiers = Tiers.open({ file: join(stateDir, 'paths', 'usage.json'), rules: loadConfig(place).paths, logger });
const watching = watchConfig(place, config => tiers.configure(config.paths), { logger });
const paths = await PathSet.open({ stateDir, logger, tiers });
const steward = new Steward({ paths, rights: new DirectSteering(), logger });
const steer = steward.steer.bind(steward);
steward.steer = (socket, hints) => { tiers.watch(socket); steer(socket, hints); };
const gateway = await Gateway.start({ listen: { host: '127.0.0.1', port: 8118 }, stateDir, logger, paths, steward, relay: o.relay });
console.log(JSON.stringify({ event: 'ready' }));
process.on('SIGTERM', async () => { await gateway.close(); watching.close(); steward.close(); await paths.close(); tiers.close(); process.exit(0); });
}
